/** The cases whose packets the kernel is sent in test/integration/policy-matches.ts, asked of the evaluator. */
import t from 'tap';
import { Address } from '../../../src/model/index.js';
import { decodeNetworkPolicy, decodeNetworkSet } from '../../../src/model/v3/index.js';
import {
  judgeAtHost,
  type Gate,
  type Packet,
  type Workload,
  type World,
} from '../../../src/model/verdict/index.js';
import {
  matchCases,
  probeNames,
  type MatchCase,
  type ProbeName,
} from '../../fixtures/match-cases.js';
import { allow, verdictWorld, workload } from '../../fixtures/verdict-world.js';

const ADDRESSES = { client: ['10.20.0.1', 'fd00:20::1'], server: ['10.20.0.2', 'fd00:20::2'] };

function packet(name: ProbeName): Packet {
  const isIpv6 = name.endsWith('v6');
  const at = isIpv6 ? 1 : 0;
  const ends = {
    source: Address.parse(ADDRESSES.client[at] ?? ''),
    destination: Address.parse(ADDRESSES.server[at] ?? ''),
  };
  const plain = name.replace(/v6$/, '');
  const icmp = { echo: [8, 0], echoCode1: [8, 1], timestamp: [13, 0] }[plain];
  if (icmp !== undefined) {
    const [type = 0, code = 0] = icmp;
    const icmpType = isIpv6 && type === 8 ? 128 : type;
    return { ...ends, protocol: isIpv6 ? 58 : 1, icmpType, icmpCode: code };
  }
  if (plain === 'tcpFrom7000') {
    return { ...ends, protocol: 6, sourcePort: 7001, destinationPort: 80 };
  }
  const [, protocol, port] = /^(tcp|udp)(\d+)$/.exec(plain) ?? [];
  const number = protocol === 'tcp' ? 6 : 17;
  return { ...ends, protocol: number, sourcePort: 40_000, destinationPort: Number(port) };
}

function endpoint(role: 'client' | 'server'): Workload {
  return {
    ...workload('web', { labels: { role } }),
    name: role,
    addresses: ADDRESSES[role].map((text) => Address.parse(text)),
    ports:
      role === 'client'
        ? []
        : [
            { name: 'web', protocol: 'TCP', port: 8080 },
            { name: 'dns', protocol: 'UDP', port: 53 },
          ],
  };
}

const set = (kind: string, metadata: object, nets: readonly string[]) =>
  decodeNetworkSet(JSON.stringify({ kind, metadata, spec: { nets } }));

function worldOf({ rules, namespace }: MatchCase, direction: 'ingress' | 'egress'): World {
  const kind = namespace === undefined ? 'GlobalNetworkPolicy' : 'NetworkPolicy';
  const role = direction === 'ingress' ? 'server' : 'client';
  const policy = {
    kind,
    metadata: { name: 'case', namespace },
    spec: {
      selector: `role == '${role}'`,
      types: [direction === 'ingress' ? 'Ingress' : 'Egress'],
      [direction]: rules,
    },
  };
  return verdictWorld({
    workloads: [endpoint('client'), endpoint('server')],
    hostEndpoints: [],
    profiles: [{ name: 'open', ingress: [allow()], egress: [allow()], labelsToApply: {} }],
    policies: [decodeNetworkPolicy(JSON.stringify(policy))],
    networkSets: [
      set('GlobalNetworkSet', { name: 'lan', labels: { kind: 'lan' } }, [
        ...['10.20.0.0/30', '10.20.0.1', 'fd00:20::/126'],
      ]),
      set('NetworkSet', { name: 'far', namespace: 'default', labels: { kind: 'far' } }, [
        ...['192.0.2.0/24', '2001:db8::/32'],
      ]),
    ],
  });
}

for (const direction of ['ingress', 'egress'] as const) {
  t.test(direction, async (t) => {
    for (const each of matchCases) {
      const world = worldOf(each, direction);
      const [from, to] = world.workloads.map((one): Gate => ({ type: 'workload', workload: one }));
      if (from === undefined || to === undefined) throw new Error('no endpoints');
      const passes = probeNames.filter(
        (name) =>
          judgeAtHost(world, { node: 'node1', packet: packet(name), from, to }).verdict === 'allow',
      );
      t.same(passes, each.passes, each.name);
    }
  });
}
