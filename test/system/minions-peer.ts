import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createNetwork, runContainer } from '../fixtures/containers.js';
import {
  engineObstacle,
  startEngine,
  startFabric,
  type Engine,
} from '../fixtures/docker-engine.js';
import { createEngineClient, EngineError, type EngineClient } from '../fixtures/engine-client.js';
import { fabricAddress } from '../fixtures/fabric.js';
import { ipPool } from '../fixtures/mesh-lab.js';
import { IPAM_SOCKET } from '../fixtures/plugin-daemon.js';
import { allocations, readDump, slots, type Dump } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const MINIONS = join(process.env['PEERS'] ?? '/nonexistent', 'eru-minions');
const skip =
  engineObstacle('20.10') ??
  (existsSync(MINIONS) ? false : 'needs PEERS, a folder with the real eru-minions');

const POOL = '10.20.0.0/22';
const ETCD = {
  DATASTORE_TYPE: 'etcdv3',
  ETCD_ENDPOINTS: `http://${fabricAddress(1)}:2379`,
};
const SPACE = 'CalicoLocalAddressSpace';
/** Of each side. */
const THROUGH_SOCKETS = 250;
const THROUGH_DOCKER = 10;

interface Side {
  readonly engine: Engine;
  readonly ipam: EngineClient;
  readonly poolId: string;
}

t.test('eru-minions on one host, ours on another, one pool', { skip }, async (t) => {
  const fabric = await startFabric();
  t.teardown(() => fabric.stop());
  const one = await startEngine({
    ...{ fabric, index: 1, etcd: true },
    // minions knows networks of global scope only.
    clusterStore: 'etcd://127.0.0.1:2379',
  });
  t.teardown(() => one.stop());
  const other = await startEngine({ fabric, index: 2 });
  t.teardown(() => other.stop());
  const daemon = await other.startDaemon({ env: { ...ETCD, NO_DEFAULT_POOLS: 'true' } });
  t.teardown(() => {
    if (!t.passing()) t.comment(daemon.log().slice(-4000));
  });
  const create = (): ReturnType<Engine['calicoctl']> =>
    other.calicoctl(['create', '-f', '-'], ipPool('pool1', POOL, { natOutgoing: 'true' }));
  await until(async () => (await create()).status === 0, 'the pool');
  await startMinions(t, one);
  for (const engine of [one, other]) await createNetwork(engine, 'net1', '--subnet', POOL);
  const sides = await Promise.all([minionsSide(one), ourSide(other, daemon)]);
  await t.test('no address twice', (t) => noneTwice(t, sides));
  await t.test('each frees its own only', (t) => freeing(t, sides));
});

/** It answers IPv6 gateways to containers that have no IPv6 (and Docker then refuses the start), unless there is none. */
async function startMinions(t: Test, engine: Engine): Promise<void> {
  const off = ['all', 'default'].map((name) => `net.ipv6.conf.${name}.disable_ipv6=1`);
  await engine.host.must('sysctl', ['-w', ...off]);
  const minions = await engine.host.spawn(MINIONS, ['--debug'], { env: ETCD });
  t.teardown(() => {
    if (!t.passing()) t.comment(minions.log().slice(-4000));
  });
  await until(() => existsSync(engine.host.path(IPAM_SOCKET)), 'the sockets of minions');
}

async function requestPool(ipam: EngineClient): Promise<string> {
  const asked = { AddressSpace: SPACE, Pool: POOL, SubPool: '', Options: null, V6: false };
  return String((await ipam.call('IpamDriver.RequestPool', asked))['PoolID']);
}

async function minionsSide(engine: Engine): Promise<Side> {
  const ipam = createEngineClient(engine.host.path(IPAM_SOCKET));
  return { engine, ipam, poolId: await requestPool(ipam) };
}

/** Addresses are for networks of ours only. */
async function ourSide(
  engine: Engine,
  { ipam, network }: { readonly ipam: EngineClient; readonly network: EngineClient },
): Promise<Side> {
  const poolId = await requestPool(ipam);
  const IPv4Data = [{ AddressSpace: SPACE, Pool: POOL, Gateway: '169.254.1.1/32' }];
  await network.call('NetworkDriver.CreateNetwork', {
    ...{ NetworkID: 'f'.repeat(64), Options: {}, IPv4Data, IPv6Data: [] },
  });
  return { engine, ipam, poolId };
}

async function request({ ipam, poolId }: Side, number: number, Address = ''): Promise<string> {
  const mac = `02:42:00:00:${Math.floor(number / 256)}:${(number % 256).toString(16)}`.replaceAll(
    /:(\w)(?=:|$)/g,
    ':0$1',
  );
  const Options = { 'com.docker.network.endpoint.macaddress': mac };
  const body = { PoolID: poolId, Address, Options };
  return (
    String((await ipam.call('IpamDriver.RequestAddress', body))['Address']).split('/')[0] ?? ''
  );
}

/** Several at a time, as Docker calls. */
async function inTurns<T>(count: number, work: (number: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) results.push(await work(number));
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return results;
}

async function startContainers(engine: Engine): Promise<string[]> {
  const addresses: string[] = [];
  for (let number = 0; number < THROUGH_DOCKER; number += 1)
    addresses.push((await runContainer(engine, `c${number}`, 'net1')).address);
  return addresses;
}

const dump = async ({ engine }: Side): Promise<Dump> =>
  readDump(
    await engine.host.must('etcdctl', ['get', '--prefix', '/calico/', '-w', 'json'], {
      env: { ETCDCTL_API: '3' },
    }),
  );

const taken: { theirs: string[]; ours: string[] } = { theirs: [], ours: [] };

async function noneTwice(t: Test, [minions, own]: readonly [Side, Side]): Promise<void> {
  const [theirs, ours, theirContainers, ourContainers] = await Promise.all([
    inTurns(THROUGH_SOCKETS, (number) => request(minions, number)),
    inTurns(THROUGH_SOCKETS, (number) => request(own, number)),
    startContainers(minions.engine),
    startContainers(own.engine),
  ]);
  Object.assign(taken, { theirs, ours });
  const all = [...theirs, ...ours, ...theirContainers, ...ourContainers];
  t.equal(all.length, 2 * (THROUGH_SOCKETS + THROUGH_DOCKER));
  t.equal(new Set(all).size, all.length, 'every address went to one only');
  const stored = await dump(minions);
  t.same([...allocations(stored).keys()].sort(), [...all].sort(), 'and is stored once');
  const handles = allocations(stored);
  const byUs = (address: string): boolean =>
    /^docker\.node2\.[0-9a-f]{32}$/.test(handles.get(address) ?? '');
  t.ok([...ours, ...ourContainers].every(byUs), 'ours are marked as ours');
  t.ok([...theirs, ...theirContainers].every((address) => handles.get(address) === ''));
  await t.test('what the other has is refused', async (t) => {
    t.match(await refusal(request(own, 900, theirs[0])), /is taken by/);
    t.match(await refusal(request(minions, 900, ours[0])), /already assigned/i);
  });
}

async function refusal(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    (answer) => answer,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error.message;
  throw new Error(`it was not refused: ${String(error)}`);
}

/** Each side releases half of what it took, and what the other took. */
async function freeing(t: Test, [minions, own]: readonly [Side, Side]): Promise<void> {
  const before = await dump(minions);
  const release = (side: Side, Address: string): Promise<unknown> =>
    side.ipam.call('IpamDriver.ReleaseAddress', { PoolID: side.poolId, Address });
  for (const address of taken.theirs) await release(own, address);
  t.same(outline(await dump(minions)), outline(before), 'our release of theirs does nothing');
  const half = THROUGH_SOCKETS / 2;
  const [goneTheirs, goneOurs] = [taken.theirs.slice(0, half), taken.ours.slice(0, half)];
  await Promise.all([
    inTurns(half, (at) => release(minions, goneTheirs[at] ?? '')),
    inTurns(half, (at) => release(own, goneOurs[at] ?? '')),
    minions.engine.docker('rm', '-f', 'c0', 'c1'),
    own.engine.docker('rm', '-f', 'c0', 'c1'),
  ]);
  const after = await dump(minions);
  const left = allocations(after);
  const gone = new Set([...goneTheirs, ...goneOurs]);
  t.equal(left.size, 2 * (THROUGH_SOCKETS + THROUGH_DOCKER) - 2 * half - 4);
  t.same(
    [...left.keys()].filter((address) => gone.has(address)),
    [],
  );
  const was = slots(before);
  const now = slots(after);
  const changed = [...left.keys()].filter((address) => now.get(address) !== was.get(address));
  t.same(changed, [], 'whoever has an address has it as he wrote it');
  const handles = [...after.keys()].filter((key) => key.includes('/ipam/v2/handle/'));
  t.equal(handles.length, half + THROUGH_DOCKER - 2, 'a handle for each of ours');
  const endpoints = [...after.keys()].filter((key) => key.includes('/workloadendpoints/'));
  const of = (node: string): number => endpoints.filter((key) => key.includes(`/${node}-`)).length;
  t.same([of('node1'), of('node2')], [THROUGH_DOCKER - 2, THROUGH_DOCKER - 2]);
}

/** Keys, and every slot with its attribute. */
const outline = (stored: Dump): readonly string[] =>
  [...stored.keys(), ...[...slots(stored)].map((pair) => pair.join(' '))].sort();
