import t from 'tap';
import { ENCAPSULATED } from '../../src/agent/policy/rule-names.js';
import { resourceKey } from '../../src/datastore/index.js';
import { attachOutside, packetsOf, putPool } from '../fixtures/agent-host.js';
import {
  marker,
  SERVER6,
  VXLAN_PORT,
  type Attack,
  type Place,
} from '../fixtures/hostile-attack.js';
import { attacks, honest } from '../fixtures/hostile-frames.js';
import { policyWorld, putStored } from '../fixtures/policy-world.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { startSender, type Sender } from '../fixtures/raw-sender.js';
import { until } from '../fixtures/until.js';

const TABLE = 'calico-libnetwork';
const PLACES: readonly Place[] = ['host', 'arp', 'server', 'outside'];
const MARKER = 'icmp type { echo-request }';

/** Counts what arrives where nothing of ours stands behind any more. */
interface Watch {
  /** From now on. */
  readonly on: (match: string) => () => number;
}

type RunHere = (program: string, ...args: readonly string[]) => string;

function watchAt(place: Place, here: RunHere): Watch {
  const family = place === 'arp' ? 'arp' : 'inet';
  // At others before everything, so that fragments are seen as they come.
  const hook =
    place === 'host' || place === 'arp' ? 'input priority 10' : 'prerouting priority -500';
  here('nft', 'add', 'table', family, 'watch');
  here('nft', 'add', 'chain', family, 'watch', 'seen', `{ type filter hook ${hook}; }`);
  let rules = 0;
  return {
    on: (match) => {
      const name = `w${(rules += 1)}`;
      here('nft', 'add', 'counter', family, 'watch', name);
      here(
        'nft',
        'add',
        'rule',
        family,
        'watch',
        'seen',
        ...match.split(' '),
        'counter',
        'name',
        name,
      );
      return () =>
        Number(/packets (\d+)/.exec(here('nft', 'list', 'counter', family, 'watch', name))?.[1]);
    },
  };
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('a hostile container', async (t) => {
    const outside = await attachOutside(t);
    const { store, host, client, server, apply } = await policyWorld(t);
    store.put(
      resourceKey('felixconfigurations', 'default'),
      JSON.stringify({
        ...{ kind: 'FelixConfiguration', apiVersion: 'projectcalico.org/v3' },
        ...{ metadata: { name: 'default' }, spec: { vxlanPort: VXLAN_PORT } },
      }),
    );
    await apply(() => putPool(store, '10.90.0.0/16', { vxlanMode: 'Always' }));
    const open = [
      { action: 'Allow', protocol: 'ICMP' },
      { action: 'Allow', protocol: 'UDP', destination: { ports: [53, '5301:5302'] } },
    ];
    const spec = { selector: "role == 'server'", types: ['Ingress'], ingress: open };
    await apply(() => putStored(store, { kind: 'GlobalNetworkPolicy', name: 'p', spec }));
    const ports = (): string => run('nft', 'list', 'chain', 'inet', TABLE, ENCAPSULATED);
    await until(() => ports().includes(String(VXLAN_PORT)), 'the port of VXLAN');

    const sender = await startSender(t, client.namespace, 'cali0');
    const at: Readonly<Record<Place, RunHere>> = {
      ...{ host: run, arp: run },
      ...{ server: server.namespace.run, outside: outside.run },
    };
    const watches = new Map(PLACES.map((place) => [place, watchAt(place, at[place])]));
    const seen = (attack: Attack): Promise<number> => tryOut(sender, watches, attack);

    for (const attack of honest) {
      t.ok((await seen(attack)) > 0, `honest, and passes: ${attack.name}`);
    }
    for (const attack of attacks) {
      const { name, drop } = attack;
      const before = drop === undefined ? 0 : await packetsOf(host.nft, drop);
      t.equal(await seen(attack), 0, `dropped: ${name}`);
      if (drop !== undefined) t.ok((await packetsOf(host.nft, drop)) > before, `${name}: ${drop}`);
    }
    t.notMatch(run('ip', 'neigh', 'show', 'dev', 'calic'), '10.20.0.2', 'no neighbour it is not');
    const six = run('ip', '-6', 'neigh', 'show', 'dev', 'calic');
    t.notMatch(six, SERVER6, 'nor one by an advertisement');
    t.ok(client.namespace.ping('10.20.0.2'), 'what it may do it still may');
    t.ok(client.namespace.ping('192.0.2.1'), 'its host included');

    await host.stop();
    for (const family of ['inet', 'arp']) run('nft', 'delete', 'table', family, TABLE);
    for (const attack of attacks) {
      t.ok((await seen(attack)) > 0, `without our rules it gets through: ${attack.name}`);
    }
  });
});

/** How many of its packets arrived: by the time that an honest one, sent behind them, has. */
async function tryOut(
  { send }: Sender,
  watches: ReadonlyMap<Place, Watch>,
  { at, match, frames }: Attack,
): Promise<number> {
  const watch = watches.get(at);
  // ARP has no marker of its own: it is answered, or not, before the next packet is looked at.
  const marked = watches.get(at === 'arp' ? 'host' : at);
  if (watch === undefined || marked === undefined) throw new Error(`nobody watches ${at}`);
  const count = watch.on(match);
  const markers = marked.on(MARKER);
  await send([...frames, marker(at)]);
  await until(() => markers() > 0, 'the marker');
  return count();
}
