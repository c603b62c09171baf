import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import {
  attachments,
  createNetwork,
  ping,
  reaches,
  runContainer,
  startPing,
} from '../fixtures/containers.js';
import { engineObstacle, IMAGE, type EngineVersion } from '../fixtures/docker-engine.js';
import { OUTSIDE_ADDRESS } from '../fixtures/fabric.js';
import { dumpStore, endpoints, profile, settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const versions: readonly EngineVersion[] = ['20.10', '28'];

const poolOf = (name: string, cidr: string): string => `apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: ${name}
spec:
  cidr: ${cidr}
  natOutgoing: true
---
`;

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(`several networks, engine ${version}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { version, store: 'etcd' });
    const pools = poolOf('red', '10.61.0.0/24') + poolOf('blue', '10.62.0.0/24');
    const created = await host.calicoctl(['create', '-f', '-'], pools);
    t.equal(created.status, 0, created.stderr);
    await createNetwork(host, 'red', '--subnet', '10.61.0.0/24');
    await createNetwork(host, 'blue', '--subnet', '10.62.0.0/24');
    await t.test('two on one container', (t) => twoOnOne(t, host));
    await t.test('two of one pool on one container', (t) => twoOfOnePool(t, host));
    await t.test('connect and disconnect while it runs', (t) => live(t, host));
    await t.test('--internal', (t) => internal(t, host));
    await t.test('names that are no object names', (t) => composeNames(t, host));
    await settled(host);
  });
}

async function twoOnOne(t: Test, host: CalicoHost): Promise<void> {
  await runContainer(host, 'red1', 'red');
  await runContainer(host, 'blue1', 'blue');
  for (const name of ['both1', 'both2']) {
    await host.docker('create', '--name', name, '--net', 'red', IMAGE, 'sleep', '10000');
    await host.docker('network', 'connect', 'blue', name);
  }
  // The order in which an engine joins networks at a start is its own, and random.
  for (let round = 1; round <= 3; round += 1) {
    await host.docker('start', 'both1', 'both2');
    const routes = await host.docker('exec', 'both1', 'ip', 'route');
    t.match(routes, /10\.61\.0\.0\/24 via 169\.254\.1\.\d dev cali\d/, `round ${round}`);
    t.match(routes, /10\.62\.0\.0\/24 via 169\.254\.1\.\d dev cali\d/);
    t.equal(routes.match(/^default /gm)?.length, 1, 'one default route');
    const pairs = [
      ['both1', 'both2.red'],
      ['both1', 'both2.blue'],
      ['both2', 'both1.red'],
      ['both2', 'both1.blue'],
      ['both1', 'red1.red'],
      ['both1', 'blue1.blue'],
      ['red1', 'both1.red'],
      ['blue1', 'both1.blue'],
    ] as const;
    const answers = await Promise.all(pairs.map(([from, to]) => ping(host, from, to)));
    const seen = answers.map(({ received, ttl }) => ({ received, ttl }));
    t.same(
      seen,
      pairs.map(() => ({ received: 2, ttl: 63 })),
      pairs.map(([from, to]) => `${from} to ${to}`).join(', '),
    );
    t.ok(await reaches(host, 'both1', OUTSIDE_ADDRESS), 'the outside');
    await host.docker('kill', 'both1', 'both2');
  }
  const far = (await attachments(host, 'blue1')).get('blue')?.address ?? '';
  t.notOk(await reaches(host, 'red1', far), 'a container with one of them reaches only that one');
}

async function twoOfOnePool(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'sky', '--subnet', '10.62.0.0/24');
  await createNetwork(host, 'cellar', '--internal', '--subnet', '10.62.0.0/24');
  const sky1 = await runContainer(host, 'sky1', 'sky');
  for (const name of ['mixed1', 'mixed2']) {
    await host.docker('create', '--name', name, '--net', 'sky', IMAGE, 'sleep', '10000');
    await host.docker('network', 'connect', 'blue', name);
    await host.docker('network', 'connect', 'red', name);
  }
  for (let round = 1; round <= 3; round += 1) {
    await host.docker('start', 'mixed1', 'mixed2');
    const pairs = [
      ['mixed1', 'mixed2.sky'],
      ['mixed1', 'mixed2.blue'],
      ['mixed2', 'mixed1.red'],
      ['mixed1', 'sky1.sky'],
      ['mixed2', 'blue1.blue'],
      ['mixed1', 'red1.red'],
      ['sky1', 'mixed1.sky'],
      ['blue1', 'mixed2.blue'],
      ['red1', 'mixed2.red'],
    ] as const;
    const answers = await Promise.all(pairs.map(([from, to]) => ping(host, from, to)));
    t.same(
      answers.map(({ received, ttl }) => ({ received, ttl })),
      pairs.map(() => ({ received: 2, ttl: 63 })),
      `round ${round}: ${pairs.map(([from, to]) => `${from} to ${to}`).join(', ')}`,
    );
    t.ok(await reaches(host, 'mixed1', OUTSIDE_ADDRESS), 'the outside');
    await host.docker('kill', 'mixed1', 'mixed2');
  }
  t.notOk(await reaches(host, 'blue1', sky1.address), 'the networks stay apart for all others');
  const before = endpoints(await dumpStore(host)).size;
  const refused = await host.tryDocker('network', 'connect', 'cellar', 'sky1');
  t.match(
    refused.stderr,
    /two networks on 10\.62\.0\.0\/24.*an internal network needs a pool of its own/,
  );
  t.equal(endpoints(await dumpStore(host)).size, before, 'and nothing of it stays');
  await host.docker('rm', '-f', 'mixed1', 'mixed2', 'sky1');
  await host.docker('network', 'rm', 'sky', 'cellar');
}

async function live(t: Test, host: CalicoHost): Promise<void> {
  await runContainer(host, 'mover', 'red');
  const steady = await startPing(
    host,
    'mover',
    (await attachments(host, 'red1')).get('red')!.address,
  );
  await host.docker('network', 'connect', 'blue', 'mover');
  t.ok(await reaches(host, 'mover', 'blue1.blue'), 'connected');
  t.ok(await reaches(host, 'blue1', 'mover.blue'), 'and back');
  t.equal((await attachments(host, 'mover')).size, 2);
  await host.docker('network', 'disconnect', 'blue', 'mover');
  t.notOk(await reaches(host, 'mover', (await attachments(host, 'blue1')).get('blue')!.address));
  t.same((await steady.stop()).lost, [], 'the first network lost nothing meanwhile');
  await host.docker('network', 'connect', 'blue', 'mover');
  await host.docker('network', 'disconnect', 'red', 'mover');
  t.ok(await reaches(host, 'mover', 'blue1.blue'), 'the first network may go instead');
  t.ok(await reaches(host, 'mover', OUTSIDE_ADDRESS), 'and the way out is the other one now');
  await host.docker('rm', '-f', 'mover');
  await settled(host);
}

async function internal(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'closed', '--internal', '--subnet', '10.61.0.0/24');
  const one = await runContainer(host, 'closed1', 'closed');
  const two = await runContainer(host, 'closed2', 'closed');
  t.notMatch(await host.docker('exec', 'closed1', 'ip', 'route'), /default/, 'no default route');
  t.equal((await ping(host, 'closed1', 'closed2')).received, 2);
  t.equal((await ping(host, 'closed2', one.address)).received, 2);
  const red1 = (await attachments(host, 'red1')).get('red')!.address;
  const beyond = [OUTSIDE_ADDRESS, host.address, red1];
  const reached = (from: string): Promise<readonly boolean[]> =>
    Promise.all(beyond.map((target) => reaches(host, from, target)));
  t.same(
    await reached('closed1'),
    [false, false, false],
    'not the outside, the host, or another network on the same pool',
  );
  t.notOk(await reaches(host, 'red1', two.address), 'nobody else comes in');

  // A container that may change its routes gets no further.
  await runContainer(host, 'closed3', 'closed', '--cap-add', 'NET_ADMIN');
  await host.docker('exec', 'closed3', 'ip', 'route', 'add', 'default', 'via', '169.254.1.1');
  t.same(await reached('closed3'), [false, false, false], 'still not');
  await host.docker('rm', '-f', 'closed1', 'closed2', 'closed3');
  await host.docker('network', 'rm', 'closed');
}

async function composeNames(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'proj_default');
  const first = await runContainer(host, 'proj-web-1', 'proj_default');
  await runContainer(host, 'proj-db-1', 'proj_default');
  t.ok(await reaches(host, 'proj-web-1', 'proj-db-1.proj_default'));
  const endpoint = endpoints(await dumpStore(host)).get(first.endpointId);
  const [name = ''] = endpoint?.spec.profiles ?? [];
  t.match(name, /^proj-default-[0-9a-f]{8}$/);
  t.match(profile(await dumpStore(host), name), { spec: { labelsToApply: { [name]: '' } } });
  await until(async () => {
    const { metadata } = endpoints(await dumpStore(host)).get(first.endpointId)!;
    return metadata.annotations?.['calico-libnetwork/network-name'] === 'proj_default';
  }, 'the endpoint to say its network as Docker knows it');
  await host.docker('rm', '-f', 'proj-web-1', 'proj-db-1');
  await host.docker('network', 'rm', 'proj_default');
  t.equal(profile(await dumpStore(host), name), undefined, 'the profile goes with its network');
}
