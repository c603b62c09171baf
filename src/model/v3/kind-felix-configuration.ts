import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import { felixChoices, felixDurations, felixShape } from './felix-shape.js';
import { isObject } from './json.js';
import { nameColumn, type Kind } from './kind.js';
import type { Problem } from './problem.js';
import { stringOf, stringsOf, type Resource } from './resource.js';

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))*$/;
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  vxlanPort: [1, 65_535],
  vxlanVNI: [1, 16_777_215],
  vxlanMTU: [0, 65_535],
  vxlanMTUV6: [0, 65_535],
  ipipMTU: [0, 65_535],
};

function check({ spec }: Resource): Problem[] {
  const problems: Problem[] = [];
  const refuse = (member: string, value: unknown, reason: string): void => {
    problems.push({ field: `spec.${member}`, value: String(value), reason });
  };
  for (const member of felixDurations) {
    const value = stringOf(spec, member);
    if (!DURATION.test(value)) refuse(member, value, 'must be a duration such as 90s or 1m30s');
  }
  for (const [member, choices] of Object.entries(felixChoices)) {
    const value = stringOf(spec, member);
    const known = choices.some((each) => each.toLowerCase() === value.toLowerCase());
    if (value !== '' && !known) refuse(member, value, `supported values: ${choices.join(', ')}`);
  }
  for (const [member, [least, most]] of Object.entries(RANGES)) {
    const value = spec[member];
    if (typeof value === 'number' && (value < least || value > most)) {
      refuse(member, value, `must be ${least} to ${most}`);
    }
  }
  for (const value of stringsOf(spec, 'externalNodesList')) {
    if (!isNetwork(value)) refuse('externalNodesList', value, 'must be an address or a network');
  }
  for (const member of ['failsafeInboundHostPorts', 'failsafeOutboundHostPorts']) {
    problems.push(...checkFailsafes(member, spec[member]));
  }
  return problems;
}

function checkFailsafes(member: string, value: unknown): Problem[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown, index): Problem[] => {
    const field = `spec.${member}[${index}]`;
    if (!isObject(item)) return [];
    const port = Number(item['port']);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return [
        { field: `${field}.port`, value: String(item['port']), reason: 'must be 1 to 65535' },
      ];
    }
    const net = stringOf(item, 'net');
    if (net !== '' && !isNetwork(net)) {
      return [
        { field: `${field}.net`, value: net, reason: 'must be a network such as 10.0.0.0/8' },
      ];
    }
    return [];
  });
}

function isNetwork(value: string): boolean {
  return Cidr.tryParse(value) !== undefined || Address.tryParse(value) !== undefined;
}

export const felixConfigurationKind: Kind = {
  kind: 'FelixConfiguration',
  plural: 'felixconfigurations',
  aliases: ['felixconfig', 'felixconfigs'],
  namespaced: false,
  summary: 'settings of the node agent: for all nodes (default) or for one (node.NAME)',
  example: `apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata:
  name: default
spec:
  logSeverityScreen: Info
  reportingInterval: 0s
  vxlanPort: 4789
`,
  spec: felixShape,
  columns: [nameColumn],
  tableHeadings: ['NAME'],
  wideHeadings: ['NAME'],
  check,
};
