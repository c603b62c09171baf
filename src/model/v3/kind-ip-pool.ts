import { Type } from 'typebox';
import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import { cell, nameColumn, type Column, type Kind } from './kind.js';
import { checkSelector } from './metadata-checks.js';
import type { Problem } from './problem.js';
import { stringOf, stringsOf, type Resource } from './resource.js';
import { defaultBlockSize, defaultUses } from './stored-ip-pool.js';

const mode = Type.Union([
  Type.Literal('Never'),
  Type.Literal('Always'),
  Type.Literal('CrossSubnet'),
]);
const use = Type.Union([
  Type.Literal('Workload'),
  Type.Literal('Tunnel'),
  Type.Literal('LoadBalancer'),
]);

const spec = Type.Object({
  cidr: Type.String({ always: true }),
  vxlanMode: Type.Optional(mode),
  ipipMode: Type.Optional(mode),
  natOutgoing: Type.Optional(Type.Boolean()),
  disabled: Type.Optional(Type.Boolean()),
  disableBGPExport: Type.Optional(Type.Boolean()),
  blockSize: Type.Optional(Type.Integer()),
  nodeSelector: Type.Optional(Type.String()),
  namespaceSelector: Type.Optional(Type.String()),
  allowedUses: Type.Optional(Type.Array(use)),
  assignmentMode: Type.Optional(
    Type.Union([Type.Literal('Automatic'), Type.Literal('Manual')], { always: true }),
  ),
});

const MAPPED = Cidr.parse('::ffff:0:0/96');

/** The CIDR of a pool; an IPv4 network in IPv6 clothes is IPv4, as Calico stores it. */
function poolCidr(text: string): { readonly cidr: Cidr; readonly masked: boolean } | undefined {
  const parsed = Cidr.tryParseInterface(text);
  if (parsed === undefined) return undefined;
  const masked = parsed.cidr.base.equals(parsed.address);
  const { cidr } = parsed;
  if (!MAPPED.containsCidr(cidr)) return { cidr, masked };
  const base = Address.fromValue(4, cidr.base.value & 0xffff_ffffn);
  return { cidr: Cidr.of(base, cidr.prefix - 96), masked };
}

function complete({ spec: pool }: Resource): void {
  const parsed = poolCidr(stringOf(pool, 'cidr'));
  if (parsed?.masked === true) pool['cidr'] = parsed.cidr.toString();
  pool['vxlanMode'] ??= 'Never';
  pool['ipipMode'] ??= 'Never';
  if (pool['blockSize'] === undefined && parsed !== undefined) {
    pool['blockSize'] = defaultBlockSize(parsed.cidr.family);
  }
  pool['nodeSelector'] ??= 'all()';
  pool['allowedUses'] ??= [...defaultUses];
  pool['assignmentMode'] ??= 'Automatic';
}

const CIDR_FIELD = 'IPPool.Spec.CIDR';

function check(resource: Resource): Problem[] {
  const { spec: pool } = resource;
  const text = stringOf(pool, 'cidr');
  if (text === '') return [{ field: CIDR_FIELD, reason: 'IPPool CIDR must be specified' }];
  const parsed = poolCidr(text);
  if (parsed === undefined) {
    const reason = 'IPPool CIDR must be a valid subnet: address/length, such as 10.20.0.0/16';
    return [{ field: CIDR_FIELD, value: text, reason }];
  }
  if (!parsed.masked) {
    const reason = `IPPool CIDR is not strictly masked: it has host bits, the network is ${parsed.cidr}`;
    return [{ field: CIDR_FIELD, value: text, reason }];
  }
  return [
    ...checkSize(resource, parsed.cidr),
    ...checkModes(resource, parsed.cidr),
    ...checkUses(resource),
    ...checkSelector('NodeSelector', pool['nodeSelector']),
    ...checkSelector('NamespaceSelector', pool['namespaceSelector']),
  ];
}

const LINK_LOCAL: readonly Cidr[] = [Cidr.parse('169.254.0.0/16'), Cidr.parse('fe80::/10')];

function checkSize({ spec: pool }: Resource, cidr: Cidr): Problem[] {
  const problems: Problem[] = [];
  const [least, most] = cidr.family === 4 ? [20, 32] : [116, 128];
  const size = pool['blockSize'];
  if (typeof size !== 'number' || size < least || size > most) {
    const reason = `blockSize of an IPv${cidr.family} pool must be between ${least} and ${most}`;
    problems.push({ field: 'spec.blockSize', value: cell(size), reason });
  } else if (cidr.prefix > size && pool['disabled'] !== true) {
    const reason = `the IP pool ${cidr} is smaller than one block of /${size}: take a blockSize from ${cidr.prefix} up or a larger pool`;
    problems.push({ field: 'spec.blockSize', value: cell(size), reason });
  }
  for (const range of LINK_LOCAL.filter((reserved) => reserved.overlaps(cidr))) {
    const reason = `IPPool CIDR overlaps with IPv${range.family} link local range ${range}`;
    problems.push({ field: CIDR_FIELD, value: cidr.toString(), reason });
  }
  return problems;
}

function checkModes({ spec: pool }: Resource, cidr: Cidr): Problem[] {
  const ipip = pool['ipipMode'] !== 'Never';
  const vxlan = pool['vxlanMode'] !== 'Never';
  if (ipip && vxlan) {
    const reason = 'ipipMode and vxlanMode cannot both be enabled: set one of them to Never';
    return [{ field: 'spec', reason }];
  }
  if (ipip && cidr.family === 6) {
    const reason = 'IPIP is not supported on IPv6 pools: use vxlanMode';
    return [{ field: 'spec.ipipMode', value: cell(pool['ipipMode']), reason }];
  }
  return [];
}

function checkUses({ spec: pool }: Resource): Problem[] {
  const uses = stringsOf(pool, 'allowedUses');
  const field = 'spec.allowedUses';
  const value = `[${uses.join(' ')}]`;
  const problems: Problem[] = [];
  if (uses.includes('Tunnel') && stringOf(pool, 'namespaceSelector') !== '') {
    const reason =
      'a pool with a namespaceSelector cannot serve tunnels: set allowedUses: [Workload]';
    problems.push({ field, value, reason });
  }
  if (!uses.includes('LoadBalancer')) return problems;
  if (new Set(uses).size > 1) {
    problems.push({ field, value, reason: 'LoadBalancer cannot be combined with other uses' });
  }
  const plain =
    pool['ipipMode'] === 'Never' &&
    pool['vxlanMode'] === 'Never' &&
    pool['nodeSelector'] === 'all()' &&
    pool['disableBGPExport'] !== true;
  if (!plain) {
    const reason =
      'a LoadBalancer pool has no encapsulation, nodeSelector all() and disableBGPExport false';
    problems.push({ field, value, reason });
  }
  return problems;
}

function checkUpdate(previous: Resource, next: Resource): Problem[] {
  const problems: Problem[] = [];
  const [before, after] = [previous.spec, next.spec];
  const stored = Cidr.tryParse(stringOf(before, 'cidr'));
  const wanted = Cidr.tryParse(stringOf(after, 'cidr'));
  if (stored !== undefined && wanted !== undefined && !stored.equals(wanted)) {
    const reason = `IPPool CIDR cannot be modified: it is ${stored}; create another pool`;
    problems.push({ field: CIDR_FIELD, value: wanted.toString(), reason });
  }
  if (stored !== undefined) {
    const size = before['blockSize'] ?? defaultBlockSize(stored.family);
    if (size !== after['blockSize']) {
      const reason = `IPPool BlockSize cannot be modified: it is ${cell(size)}; create another pool`;
      problems.push({ field: 'IPPool.Spec.BlockSize', value: cell(after['blockSize']), reason });
    }
  }
  const wasBalancer = stringsOf(before, 'allowedUses').includes('LoadBalancer');
  if (wasBalancer && !stringsOf(after, 'allowedUses').includes('LoadBalancer')) {
    const reason = 'a LoadBalancer pool cannot be changed to another use';
    problems.push({ field: 'spec.allowedUses', reason });
  }
  return problems;
}

const specColumn = (heading: string, member: string, fallback = ''): Column => ({
  heading,
  value: (resource) => cell(resource.spec[member] ?? fallback),
});

export const ipPoolKind: Kind = {
  kind: 'IPPool',
  plural: 'ippools',
  aliases: ['ipp', 'pool', 'pools'],
  namespaced: false,
  summary: 'a range of addresses for containers, and how it is reached',
  example: `apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: pool1
spec:
  cidr: 10.20.0.0/16
  ipipMode: CrossSubnet
  natOutgoing: true
`,
  spec,
  status: Type.Object({ conditions: Type.Optional(Type.Array(Type.Unknown())) }),
  columns: [
    nameColumn,
    specColumn('CIDR', 'cidr'),
    specColumn('NAT', 'natOutgoing', 'false'),
    specColumn('IPIPMODE', 'ipipMode'),
    specColumn('VXLANMODE', 'vxlanMode'),
    specColumn('DISABLED', 'disabled', 'false'),
    specColumn('DISABLEBGPEXPORT', 'disableBGPExport', 'false'),
    specColumn('SELECTOR', 'nodeSelector'),
    specColumn('ASSIGNMENTMODE', 'assignmentMode'),
  ],
  tableHeadings: ['NAME', 'CIDR', 'SELECTOR'],
  wideHeadings: [
    'NAME',
    'CIDR',
    'NAT',
    'IPIPMODE',
    'VXLANMODE',
    'DISABLED',
    'DISABLEBGPEXPORT',
    'SELECTOR',
    'ASSIGNMENTMODE',
  ],
  complete,
  check,
  checkUpdate,
};
