import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost, type StoreType } from '../fixtures/calico-host.js';
import {
  createNetwork,
  ping,
  reaches,
  runContainer,
  type Attachment,
} from '../fixtures/containers.js';
import { engineObstacle, type EngineVersion } from '../fixtures/docker-engine.js';
import { capture, decidingChain, linkNames, packetsOf } from '../fixtures/kernel-view.js';
import { settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const cases: readonly (readonly [EngineVersion, StoreType])[] = [
  ['20.10', 'embedded'],
  ['20.10', 'etcd'],
  ['26', 'embedded'],
  ['28', 'embedded'],
];

for (const [version, store] of cases) {
  t.test(
    `one laptop, engine ${version}, ${store}`,
    { skip: engineObstacle(version) ?? false },
    async (t) => {
      const host = await startCalicoHost(t, { version, store });
      const bridges = await linkNames(host.host, 'bridge');
      await createNetwork(host, 'net1');
      await createNetwork(host, 'net2');
      const web = await runContainer(host, 'web', 'net1');
      const db = await runContainer(host, 'db', 'net1');
      const other = await runContainer(host, 'other', 'net2');

      await t.test('same network', (t) => sameNetwork(t, host, web, db));
      await t.test('no bridge', async (t) => {
        t.same(await linkNames(host.host, 'bridge'), bridges, 'none was added');
        t.match(
          await host.docker('exec', 'web', 'ip', 'addr'),
          `inet ${web.address}/32 scope global cali0`,
        );
      });
      await t.test('another network is denied, until it is allowed', (t) =>
        deniedUntilAllowed(t, host, web, other),
      );
      await t.test('who holds what', (t) => whoHoldsWhat(t, host, [web, db, other]));
      await t.test('nothing stays', async () => {
        await host.docker('rm', '-f', 'web', 'db', 'other');
        await host.docker('network', 'rm', 'net1', 'net2');
        await settled(host);
      });
    },
  );
}

async function sameNetwork(
  t: Test,
  host: CalicoHost,
  web: Attachment,
  db: Attachment,
): Promise<void> {
  for (const name of ['db', 'db.net1', db.address]) {
    const { received, ttl } = await ping(host, 'web', name);
    t.same({ received, ttl }, { received: 2, ttl: 63 }, `${name}: one router, this host`);
  }
  t.equal((await ping(host, 'db', 'web')).ttl, 63, 'and back');
  const lines = await capture(
    host.host,
    db.hostInterface,
    'icmp[icmptype] == icmp-echo',
    async () => ping(host, 'web', db.address),
  );
  t.ok(lines.length >= 2, 'requests leave towards the peer');
  t.same(
    lines.filter((line) => !line.includes(`IP ${web.address} > ${db.address}:`)),
    [],
    'with the source address that the sender has',
  );
}

async function deniedUntilAllowed(
  t: Test,
  host: CalicoHost,
  web: Attachment,
  other: Attachment,
): Promise<void> {
  const chain = await decidingChain(host.host, 'to-wl', other.hostInterface);
  const dropped = (): Promise<number> => packetsOf(host.host, chain, 'no profile matched');
  const before = await dropped();
  const arrived: (readonly string[])[] = [];
  const left = await capture(host.host, web.hostInterface, `icmp and dst ${other.address}`, () =>
    capture(host.host, other.hostInterface, `icmp and dst ${other.address}`, async () => {
      t.notOk(await reaches(host, 'web', other.address), 'no answer');
    }).then((lines) => arrived.push(lines)),
  );
  t.equal(left.length, 2, 'the requests came to the host by the sender’s interface');
  t.same(arrived, [[]], 'and did not leave by the other');
  t.equal(await dropped(), before + 2, 'the rule that decides counted them');
  const unknown = await ping(host, 'web', 'other');
  t.match(unknown.text, /bad address/, 'a name of another network is none');

  const text = await host.calicoctl(['get', 'profile', 'net2', '-o', 'yaml']);
  t.equal(text.status, 0, text.stderr);
  const edited = text.stdout.replace('selector: has(net2)', 'selector: has(net2) || has(net1)');
  t.not(edited, text.stdout, 'the profile names its own network');
  const applied = await host.calicoctl(['apply', '-f', '-'], edited);
  t.equal(applied.status, 0, applied.stderr);
  await until(() => reaches(host, 'web', other.address), 'the edited profile to let it pass');
  t.equal((await ping(host, 'web', other.address)).received, 2, 'the same pair passes');
}

async function whoHoldsWhat(
  t: Test,
  host: CalicoHost,
  running: readonly Attachment[],
): Promise<void> {
  const list = await host.calicoctl(['get', 'workloadendpoints', '-A']);
  t.equal(list.status, 0, list.stderr);
  for (const { address, hostInterface } of running) {
    t.match(list.stdout, new RegExp(`${address}/32 +${hostInterface}`));
    const shown = await host.calicoctl(['ipam', 'show', `--ip=${address}`]);
    t.match(shown.stdout, /is in use/, address);
  }
  const usage = await host.calicoctl(['ipam', 'show']);
  t.match(usage.stdout, /\| IP Pool +\| 192\.168\.0\.0\/16 +\| +65536 \| +3 \(0%\)/);
  await settled(host);
}
