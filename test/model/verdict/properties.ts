import fc from 'fast-check';
import t from 'tap';
import type { Family } from '../../../src/model/index.js';
import { decodeNetworkPolicy, decodeNetworkSet, decodeTier } from '../../../src/model/v3/index.js';
import {
  judgeAtHost,
  type FlowVerdict,
  type Gate,
  type World,
} from '../../../src/model/verdict/index.js';
import {
  randomObjects,
  storedText,
  type RandomObject,
  type Vocabulary,
} from '../../fixtures/random-policies.js';
import {
  hosts,
  packetOf,
  policy,
  verdictWorld,
  type HostName,
  type Ports,
  type ProtocolName,
} from '../../fixtures/verdict-world.js';

const WORDS: Vocabulary = {
  selectors: ["role == 'web'", "role == 'target'", 'has(role)', '!has(role)', 'has(kind)'],
  namespaces: ['default', 'prod'],
  nets4: ['10.65.0.0/30', '10.65.0.2/32', '198.51.100.0/24', '0.0.0.0/0'],
  nets6: ['fd65::/126', 'fd65::2/128', '2001:db8::/64', '::/0'],
  ports: [80, 443, '1:1024', 'http', 'dns'],
};
const RUNS = { numRuns: 100, seed: 20_261 };

function worldOf(objects: readonly RandomObject[], more: Partial<World> = {}): World {
  const of = (kind: string): string[] =>
    objects.filter((each) => each.kind.endsWith(kind)).map((each) => storedText(each));
  const base = verdictWorld();
  return {
    ...base,
    policies: of('NetworkPolicy').map((text) => decodeNetworkPolicy(text)),
    tiers: of('Tier').map((text) => decodeTier(text)),
    networkSets: [...base.networkSets, ...of('NetworkSet').map((text) => decodeNetworkSet(text))],
    ...more,
  };
}

type Probe = readonly [family: Family, from: HostName, protocol: ProtocolName, ports: Ports];
const probes: readonly Probe[] = ([4, 6] as const).flatMap((family) =>
  (['web', 'plain', 'bad', 'stranger'] as const).flatMap((from): Probe[] => [
    [family, from, 'tcp', { dport: 80 }],
    [family, from, 'tcp', { dport: 8080 }],
    [family, from, 'udp', { dport: 5353 }],
    [family, from, 'ping', {}],
    [family, from, 'ping', { code: 1 }],
  ]),
);

function judge(world: World, [family, from, protocol, ports]: Probe): FlowVerdict {
  const gate = (name: HostName): Gate => {
    const workload = world.workloads.find((each) => each.name === name);
    const outside = { type: 'interface', host: { name: 'eth0', addresses: [] } } as const;
    return workload === undefined ? outside : { type: 'workload', workload };
  };
  const packet = packetOf(family, from, 'target', protocol, ports);
  return judgeAtHost(world, { node: 'node1', packet, from: gate(from), to: gate('target') });
}

const verdicts = (world: World): FlowVerdict[] => probes.map((probe) => judge(world, probe));

t.test('random policies allow some flows and deny others, and are all understood', async (t) => {
  const seen = new Set<string>();
  let understood = true;
  fc.assert(
    fc.property(randomObjects(WORDS), (objects) => {
      const world = worldOf(objects);
      for (const { unsupported } of world.policies) understood &&= unsupported.length === 0;
      for (const { verdict, decisions } of verdicts(world)) {
        seen.add(`${verdict} ${decisions.at(-1)?.reason.type}`);
      }
    }),
    RUNS,
  );
  t.ok(understood);
  t.same([...seen].sort(), ['allow policy', 'allow profile', 'deny end-of-tier', 'deny policy']);
});

t.test('the order of objects means nothing', async (t) => {
  fc.assert(
    fc.property(randomObjects(WORDS), (objects) => {
      const { policies, tiers, workloads, networkSets, profiles } = worldOf(objects);
      const other = worldOf(objects, {
        policies: [...policies].reverse(),
        tiers: [...tiers].reverse(),
        workloads: [...workloads].reverse(),
        networkSets: [...networkSets].reverse(),
        profiles: [...profiles].reverse(),
      });
      return JSON.stringify(verdicts(worldOf(objects))) === JSON.stringify(verdicts(other));
    }),
    RUNS,
  );
  t.pass('for every run');
});

t.test('a policy that applies to nobody changes nothing', async (t) => {
  fc.assert(
    fc.property(randomObjects(WORDS), (objects) => {
      const world = worldOf(objects);
      const idle = policy('idle', { selector: 'has(nobody)', order: -100, tier: 'early' });
      const other = { ...world, policies: [idle, ...world.policies] };
      return JSON.stringify(verdicts(world)) === JSON.stringify(verdicts(other));
    }),
    RUNS,
  );
  t.pass('for every run');
});

t.test('a selector means the networks of those that it selects', async (t) => {
  const all = [...Object.values(hosts)].flat();
  const selectors = fc.constantFrom("role == 'web'", 'has(kind)', "role == 'target'", 'has(role)');
  const members: Readonly<Record<string, readonly string[]>> = {
    "role == 'web'": [...hosts.web, ...hosts.prodWeb],
    'has(kind)': [...hosts.bad, ...hosts.partner],
    "role == 'target'": hosts.target,
    'has(role)': [...hosts.web, ...hosts.prodWeb, ...hosts.target, ...hosts.edge],
  };
  fc.assert(
    fc.property(selectors, fc.boolean(), (selector, negated) => {
      const nets = (members[selector] ?? []).filter((each) => all.includes(each as never));
      const [bySelector, byNets] = negated
        ? [{ notSelector: selector }, { notNets: nets }]
        : [{ selector }, { nets }];
      const verdictsFor = (source: object): string[] =>
        verdicts(
          worldOf([], { policies: [policy('p', { ingress: [{ action: 'Allow', source }] })] }),
        ).map(({ verdict }) => verdict);
      return verdictsFor(bySelector).join() === verdictsFor(byNets).join();
    }),
    { numRuns: 50 },
  );
  t.pass('for every run');
});
