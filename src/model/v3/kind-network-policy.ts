import type { Kind } from './kind.js';
import { policyKeyNames } from './policy-names.js';
import {
  checkPolicy,
  checkPolicyName,
  completePolicy,
  namespacedPolicyShape,
  policyColumns,
  policyHeadings,
  policyWideHeadings,
  shownPolicy,
} from './policy-parts.js';

export const networkPolicyKind: Kind = {
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  aliases: ['policy', 'policies', 'np', 'nps', 'pol', 'pols'],
  namespaced: true,
  summary: 'rules for containers of one namespace, chosen by label',
  example: `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  name: allow-80
  namespace: default
spec:
  selector: app == 'my-nginx'
  types:
  - Ingress
  ingress:
  - action: Allow
    protocol: TCP
    destination:
      ports:
      - 80
`,
  spec: namespacedPolicyShape,
  columns: policyColumns,
  tableHeadings: policyHeadings,
  wideHeadings: policyWideHeadings,
  checkName: checkPolicyName,
  keyNames: policyKeyNames,
  shown: shownPolicy,
  complete: completePolicy,
  check: checkPolicy,
};
