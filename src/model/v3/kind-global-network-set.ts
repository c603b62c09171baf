import type { Kind } from './kind.js';
import { networkSetParts } from './network-set-parts.js';

export const globalNetworkSetKind: Kind = {
  kind: 'GlobalNetworkSet',
  plural: 'globalnetworksets',
  aliases: ['gnetset', 'gnetsets'],
  namespaced: false,
  summary: 'networks with labels, for selectors in rules',
  example: `apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata:
  name: blocklist
  labels:
    threat: scanner
spec:
  nets:
  - 198.51.100.0/24
  - 203.0.113.7
`,
  ...networkSetParts,
};
