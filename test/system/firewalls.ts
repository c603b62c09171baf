import t, { type Test } from 'tap';
import { startClusterStoreLab, type ClusterHost } from '../fixtures/cluster-store-lab.js';
import {
  attachment,
  createNetwork,
  runContainer,
  type Attachment,
} from '../fixtures/containers.js';
import { engineObstacle, type Engine } from '../fixtures/docker-engine.js';
import { firewalldObstacle, startFirewalld } from '../fixtures/firewalld.js';
import type { LabProcess } from '../fixtures/lab-process.js';
import { ipPool } from '../fixtures/mesh-lab.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;
/** What users have opened themselves: their cluster store's ports. */
const ETCD = ['2379', '2380'];
const RULES = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -p tcp --dport 22 -j ACCEPT
-A INPUT -p tcp -m multiport --dports ${ETCD.join(',')} -j ACCEPT
COMMIT
`;

const restore = async ({ host }: Engine): Promise<void> => {
  for (const program of ['iptables-restore', 'ip6tables-restore']) {
    await host.must(program, [], { stdin: RULES });
  }
};

const strict = async ({ host }: Engine): Promise<void> => {
  const settings = ['all', 'default', 'eth0'].map((name) => `net.ipv4.conf.${name}.rp_filter=1`);
  await host.must('sysctl', ['-q', '-w', ...settings]);
};

t.test('INPUT and FORWARD that drop, with SSH and etcd open', { skip }, async (t) => {
  const hosts = await startClusterStoreLab(t, 2, {
    prepare: async (engine) => {
      await strict(engine);
      await restore(engine);
    },
  });
  await crossing(t, hosts, () => Promise.all(hosts.map(restore)));
});

t.test('firewalld’s default zone', { skip: skip || (firewalldObstacle() ?? false) }, async (t) => {
  const firewalls: LabProcess[] = [];
  const hosts = await startClusterStoreLab(t, 2, {
    prepare: async (engine) => {
      await strict(engine);
      firewalls.push(await startFirewalld(engine.host, ETCD));
    },
  });
  // For a moment of it there is no table at all.
  const reloaded = async ({ host }: Engine): Promise<boolean> => {
    const list = ['list', 'chain', 'inet', 'firewalld', 'filter_INPUT'];
    const { status, stdout } = await host.run('nft', list);
    return status === 0 && stdout.includes('reject with') && !stdout.includes('marker');
  };
  await crossing(t, hosts, async () => {
    for (const { host } of hosts) {
      const marker = ['insert', 'rule', 'inet', 'firewalld', 'filter_INPUT'];
      await host.must('nft', [...marker, 'counter', 'comment', '"marker"']);
    }
    for (const firewall of firewalls) firewall.signal('SIGHUP');
    for (const host of hosts) await until(() => reloaded(host), 'firewalld to have reloaded');
  });
});

/** Containers of two hosts through both kinds of pools, over a reload of the firewall and a restart of dockerd. */
async function crossing(
  t: Test,
  hosts: readonly ClusterHost[],
  reload: () => Promise<unknown>,
): Promise<void> {
  const [one, two] = hosts;
  if (one === undefined || two === undefined) throw new Error('two hosts are needed');
  const pools =
    ipPool('tunnel', '10.30.0.0/16', { vxlanMode: 'Always' }) + ipPool('plain', '10.31.0.0/16', {});
  t.equal((await one.calicoctl(['create', '-f', '-'], pools)).status, 0);
  const ends: (readonly [Attachment, Attachment])[] = [];
  for (const [name, subnet] of [
    ['vx', '10.30.0.0/16'],
    ['direct', '10.31.0.0/16'],
  ] as const) {
    await createNetwork(one, name, '--subnet', subnet);
    const always = ['--restart', 'always'];
    ends.push([
      await runContainer(one, `${name}1`, name, ...always),
      await runContainer(two, `${name}2`, name, ...always),
    ]);
  }
  const passes = async (when: string): Promise<void> => {
    for (const [from, { container, network }] of ends) {
      const words = `${from.container} reaches ${container} ${when}`;
      // A container that starts again has another address.
      const reached = async (): Promise<boolean> =>
        (await ping(one, from, await attachment(two, container, network), [])) === 0;
      await t.resolves(until(reached, words, 30_000), words);
    }
  };
  await passes('at first');
  await t.test('full packets', (t) => fullPackets(t, one, ends));
  await t.test('openings are for known hosts', (t) => onlyKnownHosts(t, one, two));
  await reload();
  await passes('after a reload');
  await two.stopDockerd();
  await two.startDockerd();
  await passes('after a restart of dockerd');
  const { decisions } = await statusOf(one);
  t.same(
    decisions.filter(({ reason }) => reason !== 'host-setting'),
    [],
    'but for rp_filter nothing is to be told',
  );
}

async function ping(
  host: ClusterHost,
  { container }: Attachment,
  to: Attachment,
  options: readonly string[],
): Promise<number> {
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', container);
  const inside = ['--target', pid, '--net', 'ping', '-n', '-c', '1', '-W', '1', ...options];
  return (await host.run('nsenter', [...inside, to.address])).status;
}

/** The containers' MTU is that of the tunnel, and it holds with the bit that forbids fragments. */
async function fullPackets(
  t: Test,
  one: ClusterHost,
  ends: readonly (readonly [Attachment, Attachment])[],
): Promise<void> {
  for (const [from, to] of ends) {
    const full = ['-M', 'do', '-s', String(1450 - 28)];
    t.equal(await ping(one, from, to, full), 0, `1450 bytes from ${from.container}`);
    const more = ['-M', 'do', '-s', String(1451 - 28)];
    t.not(await ping(one, from, to, more), 0, 'no byte more');
  }
}

async function onlyKnownHosts(t: Test, one: ClusterHost, two: ClusterHost): Promise<void> {
  const dial = ['-w', '1', one.address, '179'];
  const from = async (machine: Pick<Engine, 'run'>): Promise<number> =>
    (await machine.run('busybox', ['nc', ...dial], { stdin: '' })).status;
  t.equal(await from(two), 0, 'BGP from the other host');
  t.not(await from(one.outside), 0, 'not from another machine');
  const refused = async (): Promise<number> => {
    const chain = ['list', 'chain', 'inet', 'calico-libnetwork', 'tunnel-in'];
    const text = await one.host.must('nft', chain);
    return Number(/packets (\d+) bytes \d+ drop comment "VXLAN from an/.exec(text)?.[1]);
  };
  const before = await refused();
  await one.outside.must('bash', ['-c', `echo x >/dev/udp/${one.address}/4789`]);
  await until(async () => (await refused()) > before, 'the forged packet to be dropped');
  t.pass('VXLAN from another machine is dropped');
}

interface Status {
  readonly decisions: readonly { readonly reason: string }[];
}

async function statusOf(host: ClusterHost): Promise<Status> {
  const { stdout } = await host.calicoctl(['status', '-o', 'json']);
  return JSON.parse(stdout) as Status;
}
