import type { Kind } from './kind.js';
import { networkSetParts } from './network-set-parts.js';

export const networkSetKind: Kind = {
  kind: 'NetworkSet',
  plural: 'networksets',
  aliases: ['netset', 'netsets'],
  namespaced: true,
  summary: 'networks with labels, for selectors in rules of one namespace',
  example: `apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata:
  name: partners
  namespace: default
  labels:
    kind: partner
spec:
  nets:
  - 198.51.100.0/24
`,
  ...networkSetParts,
};
