import type { Kind } from './kind.js';
import { stagedNamespacedPolicyShape } from './policy-parts.js';
import { stagedPolicyParts } from './staged-policy.js';

export const stagedNetworkPolicyKind: Kind = {
  kind: 'StagedNetworkPolicy',
  plural: 'stagednetworkpolicies',
  aliases: ['snp', 'snps'],
  namespaced: true,
  summary: 'a NetworkPolicy in preparation: stored, not enforced',
  example: `apiVersion: projectcalico.org/v3
kind: StagedNetworkPolicy
metadata:
  name: allow-443
  namespace: default
spec:
  stagedAction: Set
  selector: app == 'my-nginx'
  ingress:
  - action: Allow
    protocol: TCP
    destination:
      ports:
      - 443
`,
  spec: stagedNamespacedPolicyShape,
  ...stagedPolicyParts,
};
