import t, { type Test } from 'tap';
import { resourceKey } from '../../src/datastore/index.js';
import { hostInsight } from '../../src/host-insight.js';
import { createMetrics } from '../../src/metrics/index.js';
import { declarePolicySeries } from '../../src/policy-series.js';
import { silentLog } from '../../src/base/index.js';
import { NODE } from '../fixtures/agent-host.js';
import { cliOn, type Cli } from '../fixtures/cli-run.js';
import {
  policyWorld,
  putStored,
  SERVER,
  type PolicyWorld,
  type Stored,
} from '../fixtures/policy-world.js';
import { inPrivateNamespace, run as execute } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

const [SERVER4, SERVER6] = SERVER;
const SERVERS = "role == 'server'";
const policy = (name: string, spec: object): Stored => ({
  ...{ kind: 'GlobalNetworkPolicy', name },
  spec: { selector: SERVERS, types: ['Ingress'], ...spec },
});
const rule = (action: string, protocol: string, ...ports: readonly number[]): object => ({
  ...{ action, protocol },
  ...(ports.length === 0 ? {} : { destination: { ports } }),
});

/** calicoctl on the world's store, beside a daemon of the world's host. */
function calicoctl({ store, host }: PolicyWorld): Cli {
  const insight = hostInsight(NODE, async () => host.agent);
  const cli = cliOn(store);
  return (argv, options) => cli(argv, { insight, ...options });
}

interface Shown {
  readonly counters: { readonly node?: string };
  readonly lists: readonly {
    readonly direction: string;
    readonly denied?: { readonly packets: number } | null;
    readonly tiers: readonly {
      readonly denied?: { readonly packets: number } | null;
      readonly policies: readonly {
        readonly name: string;
        readonly counters?: readonly ({
          readonly packets: number;
          readonly bytes: number;
        } | null)[];
      }[];
    }[];
  }[];
}

const tcp = (port: number, to: string = SERVER4) => ({ kind: 'tcp' as const, to, port });

await inPrivateNamespace(import.meta.url, () => {
  t.test('what rules counted, as calicoctl and the metrics show it', async (t) => {
    const world = await policyWorld(t);
    const { host, client, store, apply } = world;
    const run = calicoctl(world);
    const show = async (): Promise<Shown> =>
      JSON.parse((await run('policy show s -o json')).out) as Shown;
    const ingress = async () => {
      const list = (await show()).lists.find(({ direction }) => direction === 'Ingress');
      const [tier] = list?.tiers ?? [];
      return {
        list,
        tier,
        counters: (name: string) => tier?.policies.find((one) => one.name === name)?.counters,
      };
    };
    const only6 = { action: 'Allow', ipVersion: 6, source: { nets: ['10.0.0.0/8'] } };
    await apply(() => {
      const web = rule('Allow', 'TCP', 80, 443);
      putStored(
        store,
        policy('web', { order: 1, ingress: [rule('Deny', 'TCP', 8080), web, only6] }),
      );
    });
    const ask = async (port: number, to?: string): Promise<void> => {
      await client.station.ask([{ probe: tcp(port, to), waitMs: port === 8080 ? 200 : 5000 }]);
    };
    await ask(80);
    await ask(443, SERVER6);
    await ask(8080);
    const first = await ingress();
    const [denied, allowed, never] = first.counters('web') ?? [];
    t.ok((denied?.packets ?? 0) >= 1, 'dropped ones are counted, each try');
    t.match(allowed, { packets: 2, bytes: 140 }, 'one packet of each connection, of both families');
    t.equal(never, null, 'the kernel has no rule for what can match nothing');
    t.equal(first.tier?.denied?.packets, 0);
    t.match(await show(), { counters: { node: NODE } });

    await t.test('they stay when other policies come, and go on', async (t) => {
      await apply(() => {
        putStored(store, policy('later', { order: 2, ingress: [rule('Allow', 'UDP', 53)] }));
      });
      await ask(80);
      const { counters, tier } = await ingress();
      t.match(counters('web')?.[1], { packets: 3 });
      t.same(counters('later'), [{ packets: 0, bytes: 0 }]);
      await client.station.ask([
        { probe: { kind: 'icmp', to: SERVER4, type: 8, code: 0 }, waitMs: 100 },
      ]);
      t.ok(
        ((await ingress()).tier?.denied?.packets ?? 0) > (tier?.denied?.packets ?? 0),
        'the end of the tier',
      );
    });

    await t.test('as a table', async (t) => {
      const { out } = await run('policy show s');
      t.match(out, /^Ingress +PACKETS +BYTES$/m);
      t.match(out, /^ {6}1 {2}Allow TCP to ports 80, 443 +3 +\d+$/m);
      t.match(out, /^ {6}2 {2}Allow IPv6 .* +- +-$/m);
      t.match(out, /\ncounted: packets that a rule matched on this host, of all endpoints/);
    });

    await t.test('as metrics, read by the scrape alone', async (t) => {
      const metrics = createMetrics();
      let reads = 0;
      declarePolicySeries(metrics, () => ((reads += 1), host.agent), silentLog);
      t.equal(reads, 0);
      const { body } = await metrics.render();
      t.equal(reads, 1, 'one look for both');
      t.match(body, 'policy_packets_total{policy="web",direction="ingress",action="allow"} 3\n');
      t.match(
        body,
        /policy_packet_bytes_total\{policy="web",direction="ingress",action="deny"\} \d+/,
      );
    });

    await t.test('elsewhere they are not known', async (t) => {
      const cli = cliOn(store);
      const there = hostInsight('node9', async () => host.agent);
      t.match(await cli('policy show s', { insight: there }), {
        status: 0,
        out: /packet counters: not known here, on node9: run this on node1, where the endpoint is\n$/,
      });
      t.match(await cli('policy show s'), {
        out: /packet counters: they are on node1, and the daemon here does not answer/,
      });
      const felix = hostInsight(NODE, async () => ({ ...host.agent, insight: undefined }));
      t.match(await cli('policy show s', { insight: felix }), {
        out: /counters: not known, the Felix/,
      });
    });
  });

  t.test('nothing is read from the kernel on the way of a change', async (t) => {
    const { host, store, apply } = await policyWorld(t);
    const ofRules = (): string[] =>
      host.reads.filter((read) => /^(?:listJson|ruleCounters)/.test(read));
    const before = ofRules().length;
    await apply(() => putStored(store, policy('p', { ingress: [rule('Allow', 'TCP', 80)] })));
    await apply(() => putStored(store, policy('p', { ingress: [rule('Allow', 'TCP', 81)] })));
    t.same(ofRules().slice(before), [], 'no list and no counter');
    await host.agent.insight?.policyTotals();
    t.equal(ofRules().length, before + 1, 'and this one would have been seen');
  });

  t.test('a dry run lists exactly the connections that the change ends', async (t) => {
    const world = await policyWorld(t);
    for (const [name, change, expected] of changes) {
      await t.test(name, async (t) => endsWhatItLists(t, world, change, expected));
    }
  });
});

interface Change {
  /** The object as a manifest. */
  readonly manifest: object;
  /** Puts things back. */
  readonly undo: (world: PolicyWorld) => void;
}

const manifest = ({ kind, name, spec }: Stored): object => ({
  ...{ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec },
});
const gone = (name: string) => (world: PolicyWorld) =>
  void world.store.delete(resourceKey('globalnetworkpolicies', name));
const everything = { action: 'Allow' };
const made = (spec: object): Change => ({
  manifest: manifest(policy('p', spec)),
  undo: gone('p'),
});

/** A change, and how many of the eight connections below it ends. */
const changes: readonly (readonly [string, Change, number])[] = [
  ['all of UDP', made({ ingress: [rule('Deny', 'UDP'), everything] }), 4],
  ['one port', made({ ingress: [rule('Deny', 'UDP', 53), everything] }), 2],
  ['one family', made({ ingress: [{ action: 'Deny', ipVersion: 6 }, everything] }), 4],
  ['all', made({ ingress: [] }), 8],
  ['none', made({ ingress: [everything] }), 0],
  [
    'what the client may begin',
    made({
      selector: "role == 'client'",
      types: ['Egress'],
      egress: [rule('Allow', 'TCP'), rule('Allow', 'ICMPv6')],
    }),
    5,
  ],
  ['what the server may begin', made({ types: ['Egress'], egress: [] }), 0],
  [
    'by selector',
    made({
      ingress: [
        { action: 'Deny', source: { selector: "role == 'client'" }, protocol: 'ICMP' },
        everything,
      ],
    }),
    1,
  ],
  [
    'by a named port',
    made({
      ingress: [{ action: 'Deny', protocol: 'UDP', destination: { ports: ['dns'] } }, everything],
    }),
    2,
  ],
  [
    'a profile',
    {
      manifest: manifest({
        kind: 'Profile',
        name: 'open',
        spec: { ingress: [rule('Allow', 'UDP')], egress: [everything] },
      }),
      undo: ({ store }) => {
        putStored(store, {
          kind: 'Profile',
          name: 'open',
          spec: { ingress: [everything], egress: [everything] },
        });
      },
    },
    4,
  ],
];

async function endsWhatItLists(
  t: Test,
  world: PolicyWorld,
  { manifest: object, undo }: Change,
  expected: number,
): Promise<void> {
  const { host, client, apply } = world;
  const run = calicoctl(world);
  execute('conntrack', '-F');
  const asked = SERVER.flatMap((to) => [
    { kind: 'udp' as const, to, port: 53 },
    { kind: 'udp' as const, to, port: 80 },
    { kind: 'icmp' as const, to, type: to.includes(':') ? 128 : 8, code: 0 },
  ]);
  const waits = { waitMs: 5000 };
  t.same(
    await client.station.ask(asked.map((probe) => ({ probe, ...waits }))),
    asked.map(() => true),
  );
  for (const to of SERVER) t.ok(await client.station.ask([{ probe: tcp(80, to), ...waits }]));
  const alive = async (): Promise<string[]> => {
    const flows = await host.netlink.listFlows(() => true);
    return flows.map(({ source, destination, protocol, sourcePort = 0, destinationPort = 0 }) =>
      [protocol, source, sourcePort, destination, destinationPort].join(' '),
    );
  };
  const stdin = JSON.stringify(object);
  const before = await alive();
  const { out, status, err } = await run('apply --dry-run -f -', { stdin });
  t.same([status, err], [0, '']);
  t.same((await alive()).sort(), before.sort(), 'a dry run ends nothing');
  const listed = [
    ...out.matchAll(/^ {2}(\S+) (\S+) > (\S+) {2}(\S+) -> (\S+): (?:in|e)gress, /gm),
  ].map(([, protocol = '', from = '', to = '']) =>
    [NUMBERS[protocol], ...endOf(from), ...endOf(to)].join(' '),
  );
  const head = expected === 0 ? 'no live connections' : `${listed.length} live connection`;
  t.match(out, new RegExp(`^${head}.* of node1 would be ended`, 'm'));
  t.equal(listed.length, expected, out);
  const ended = host.agent.status().policy.connectionsEnded;
  const { changed } = host.agent.status().table;
  t.match(await run('apply -f -', { stdin }), { status: 0 });
  await until(() => {
    const { state, table } = host.agent.status();
    return state === 'in-sync' && table.changed > changed;
  }, 'the rules');
  const left = new Set(await alive());
  t.same(before.filter((flow) => !left.has(flow)).sort(), listed.sort());
  t.equal(host.agent.status().policy.connectionsEnded - ended, listed.length);
  await apply(() => undo(world));
}

const NUMBERS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };

/** `10.0.0.1:80`, `[fd00::1]:80` or an address alone. */
function endOf(text: string): readonly (string | number)[] {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([\d.]+)):(\d+)$/.exec(text) ?? [];
  return port === undefined ? [text, 0] : [bracketed ?? plain ?? '', Number(port)];
}
