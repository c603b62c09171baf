import t, { type Test } from 'tap';
import { request } from 'node:http';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, ping, runContainer, attachment } from '../fixtures/containers.js';
import { engineObstacle, IMAGE, type EngineVersion } from '../fixtures/docker-engine.js';
import { allocations, dumpStore, settled } from '../fixtures/store-view.js';

const versions: readonly EngineVersion[] = ['20.10', '28'];

const POOL = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: red
spec:
  cidr: 10.61.0.0/24
`;

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(`addresses that users choose, engine ${version}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { version, store: 'etcd' });
    t.equal((await host.calicoctl(['create', '-f', '-'], POOL)).status, 0);
    await t.test('--ip', (t) => chosen(t, host));
    await t.test('--ip-range, --gateway, --aux-address', (t) => ranges(t, host));
    await t.test('one MAC on two containers', (t) => sameMac(t, host));
  });
}

async function chosen(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'red', '--subnet', '10.61.0.0/24');
  await createNetwork(host, 'free');
  const fixed = await runContainer(host, 'fixed', 'red', '--ip', '10.61.0.77');
  t.equal(fixed.address, '10.61.0.77');
  await host.docker('restart', '-t', '0', 'fixed');
  t.equal((await attachment(host, 'fixed', 'red')).address, '10.61.0.77', 'again after a restart');

  const second = ['run', '-d', '--name', 'second', '--net', 'red', '--ip', '10.61.0.77', IMAGE];
  const taken = await host.tryDocker(...second, 'sleep', '10000');
  t.not(taken.status, 0);
  const container = (await host.docker('inspect', '-f', '{{.Id}}', 'fixed')).slice(0, 12);
  t.match(taken.stderr, `10.61.0.77 is taken by container ${container}`, 'who has it');
  t.match(taken.stderr, /on node node1/, 'where');
  t.match(taken.stderr, /since 20\d\d-/, 'since when');
  t.match(taken.stderr, /calicoctl ipam show --ip=10\.61\.0\.77/, 'what to do');
  await host.docker('rm', '-f', 'second');

  const outside = ['run', '-d', '--net', 'red', '--ip', '10.99.0.1', IMAGE, 'true'];
  t.match((await host.tryDocker(...outside)).stderr, /10\.99\.0\.1/, 'not of this network');
  const without = ['run', '-d', '--net', 'free', '--ip', '192.168.7.7', IMAGE, 'true'];
  t.match((await host.tryDocker(...without)).stderr, /user configured subnets/i);
  const none = await host.tryDocker(
    ...['network', 'create', '--driver', 'calico', '--ipam-driver', 'calico-ipam'],
    ...['--subnet', '10.62.0.0/24', 'blue'],
  );
  t.match(none.stderr, /no IP pool has the CIDR 10\.62\.0\.0\/24/);
  t.match(none.stderr, /red \(10\.61\.0\.0\/24\)/, 'the pools that there are');
  t.match(none.stderr, /calicoctl create -f/, 'how to add one');
  await host.docker('rm', '-f', 'fixed');
  await removeDead(host);
  await host.docker('network', 'rm', 'red', 'free');
  await settled(host);
}

/** Containers that failed to start stay in state Created. */
async function removeDead(host: CalicoHost): Promise<void> {
  const ids = (await host.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
  if (ids.length > 0) await host.docker('rm', '-f', ...ids);
}

async function ranges(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(
    host,
    'narrow',
    ...['--subnet', '10.61.0.0/24', '--ip-range', '10.61.0.128/29'],
    ...['--gateway', '10.61.0.129', '--aux-address', 'router=10.61.0.130'],
  );
  const held = [...allocations(await dumpStore(host))].filter(([, handle]) =>
    handle.startsWith('docker-pool.'),
  );
  t.same(held.map(([address]) => address).sort(), ['10.61.0.129', '10.61.0.130'], 'reserved');
  const given: string[] = [];
  for (const name of ['n1', 'n2', 'n3', 'n4', 'n5', 'n6']) {
    given.push((await runContainer(host, name, 'narrow')).address);
  }
  const free = [128, 131, 132, 133, 134, 135].map((last) => `10.61.0.${last}`);
  t.same([...given].sort(), free, 'six of the eight are left');
  const full = await host.tryDocker('run', '-d', '--net', 'narrow', IMAGE, 'true');
  t.not(full.status, 0, 'the seventh fails');
  t.match(full.stderr, /10\.61\.0\.128\/29/, 'and says which range is full');
  const asked = await host.tryDocker(
    ...['run', '-d', '--net', 'narrow', '--ip', '10.61.0.130', IMAGE, 'true'],
  );
  t.match(asked.stderr, /10\.61\.0\.130 is taken by a network \(gateway or auxiliary address\)/);
  await createNetwork(host, 'wide', '--subnet', '10.61.0.0/24');
  const next = (await runContainer(host, 'w1', 'wide')).address;
  t.notOk([...free, '10.61.0.129', '10.61.0.130'].includes(next), 'the rest of the pool is there');
  const check = await host.calicoctl(['ipam', 'check', '--show-problem-ips']);
  t.match(check.stdout, 'Check complete; found 0 problems.', check.stdout);
  await removeDead(host);
  await host.docker('network', 'rm', 'narrow', 'wide');
  await settled(host);
}

async function sameMac(t: Test, host: CalicoHost): Promise<void> {
  const mac = '02:00:00:00:00:07';
  await createNetwork(host, 'net1');
  for (const name of ['twin1', 'twin2']) {
    // The command line of today refuses --mac-address to engine 20.10, whose API has it.
    const body = {
      Image: IMAGE,
      Cmd: ['sleep', '10000'],
      MacAddress: mac,
      HostConfig: { NetworkMode: 'net1' },
      NetworkingConfig: { EndpointsConfig: { net1: { MacAddress: mac } } },
    };
    t.equal(await post(host, `/containers/create?name=${name}`, body), 201);
    await host.docker('start', name);
  }
  const twins = await Promise.all(['twin1', 'twin2'].map((name) => attachment(host, name, 'net1')));
  t.same(
    twins.map((one) => one.mac),
    [mac, mac],
  );
  t.not(twins[0]?.address, twins[1]?.address, 'addresses of their own');
  t.match(await host.docker('exec', 'twin1', 'ip', 'link'), mac);
  t.equal((await ping(host, 'twin1', 'twin2')).received, 2, 'each alone on its link, they talk');
  await host.docker('restart', '-t', '0', 'twin1');
  t.equal((await ping(host, 'twin2', 'twin1')).received, 2);
  await host.docker('rm', '-f', 'twin1');
  t.same(
    [...allocations(await dumpStore(host)).keys()],
    [twins[1]?.address],
    'the other keeps its address',
  );
  await host.docker('rm', '-f', 'twin2');
  await settled(host);
}

function post(host: CalicoHost, path: string, body: unknown): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: host.host.path('/run/docker.sock'),
        path,
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}
