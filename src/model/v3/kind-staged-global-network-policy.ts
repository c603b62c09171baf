import type { Kind } from './kind.js';
import { stagedGlobalPolicyShape } from './policy-parts.js';
import { stagedPolicyParts } from './staged-policy.js';

export const stagedGlobalNetworkPolicyKind: Kind = {
  kind: 'StagedGlobalNetworkPolicy',
  plural: 'stagedglobalnetworkpolicies',
  aliases: ['sgnp', 'sgnps'],
  namespaced: false,
  summary: 'a GlobalNetworkPolicy in preparation: stored, not enforced',
  example: `apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata:
  name: deny-telnet
spec:
  stagedAction: Set
  selector: all()
  ingress:
  - action: Deny
    protocol: TCP
    destination:
      ports:
      - 23
`,
  spec: stagedGlobalPolicyShape,
  ...stagedPolicyParts,
};
