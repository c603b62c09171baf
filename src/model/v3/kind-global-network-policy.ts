import type { Kind } from './kind.js';
import { policyKeyNames } from './policy-names.js';
import {
  checkPolicy,
  checkPolicyName,
  completePolicy,
  globalPolicyShape,
  policyColumns,
  policyHeadings,
  policyWideHeadings,
  shownPolicy,
} from './policy-parts.js';

export const globalNetworkPolicyKind: Kind = {
  kind: 'GlobalNetworkPolicy',
  plural: 'globalnetworkpolicies',
  aliases: ['gnp', 'gnps'],
  namespaced: false,
  summary: 'rules for containers of all namespaces and for hosts, chosen by label',
  example: `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: database
spec:
  order: 100
  selector: role == 'database'
  types:
  - Ingress
  ingress:
  - action: Allow
    protocol: TCP
    source:
      selector: role == 'frontend'
    destination:
      ports:
      - 3306
`,
  spec: globalPolicyShape,
  columns: policyColumns,
  tableHeadings: policyHeadings,
  wideHeadings: policyWideHeadings,
  checkName: checkPolicyName,
  keyNames: policyKeyNames,
  shown: shownPolicy,
  complete: completePolicy,
  check: checkPolicy,
};
