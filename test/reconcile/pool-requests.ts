// A network whose creation was cut off, or whose ReleasePool was lost, left its gateway taken for ever.
import t, { type Test } from 'tap';
import { silentLog } from '../../src/base/index.js';
import { createReconciler } from '../../src/reconcile/index.js';
import { reconcilePorts, type ReconcilePartners } from '../../src/reconcile-ports.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { createNetwork, NETWORK } from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';

const MINUTE = 60_000;
const GATEWAY = { RequestAddressType: 'com.docker.network.gateway' };
const UUID = '6f1f3f0a-0000-4000-8000-000000000001';
const HOST = '/calico/docker/v1/hosts/node1';

async function setUp(t: Test) {
  const memory = createMemoryStore({
    entries: {
      ...clusterOf(['node1'], { pool1: '10.20.0.0/16' }),
      [HOST]: JSON.stringify({ uuid: UUID, engine: { id: 'E', version: '1' }, version: '1' }),
    },
  });
  const state = { minute: 0 };
  const start = Date.now();
  const clock = {
    now: () => start + state.minute * MINUTE,
    monotonic: () => state.minute * MINUTE,
  };
  const pair = await startPluginPair({ store: memory, clock });
  t.teardown(() => pair.stop());
  const listed = new Set<string>();
  const look = { engineId: 'E', networkIds: new Set([NETWORK]), endpointIds: new Set<string>() };
  // Stands for the Docker API and the hold of the node name, of which one question each is asked.
  const partners = {
    ...{ plugin: pair.core, netlink: pair.netlink, store: memory, node: 'node1', hostUuid: UUID },
    inventory: { look: async () => ({ ...look, addresses: listed }) },
    hold: { mayAllocate: () => ({ ok: true }) },
  } as unknown as ReconcilePartners;
  const reconciler = createReconciler({
    ports: reconcilePorts(partners),
    ...{ node: 'node1', hostUuid: UUID, reclaim: 'on', log: silentLog, clock },
  });
  const passAt = async (minute: number): Promise<readonly string[]> => {
    state.minute = minute;
    const { freed } = await reconciler.pass(AbortSignal.timeout(5_000));
    return freed.map(({ id }) => id);
  };
  const askPool = async (): Promise<string> => {
    const { PoolID } = await pair.ipam.call('IpamDriver.RequestPool', { Pool: '10.20.0.0/16' });
    return String(PoolID);
  };
  const take = (PoolID: string, Address: string) =>
    pair.ipam.call('IpamDriver.RequestAddress', { PoolID, Address, Options: GATEWAY });
  const taken = (): string[] => [...takenAddresses(memory.dump()).keys()].map(String).sort();
  return { memory, pair, passAt, askPool, take, taken, listed };
}

t.test('what a pool request without a network holds is freed after two looks', async (t) => {
  const { passAt, askPool, take, taken } = await setUp(t);
  const lost = await askPool();
  await take(lost, '10.20.0.1');
  await take(lost, '10.20.0.2');
  t.same(await passAt(2), [], 'too young');
  t.same(await passAt(11), [], 'seen once');
  t.same(taken().length, 2);
  t.same(await passAt(22), [`pool request ${lost}`]);
  t.same(taken(), []);
});

t.test('what a stored network or Docker names stays', async (t) => {
  const { memory, pair, passAt, askPool, take, taken, listed } = await setUp(t);
  const ours = await createNetwork(pair);
  await take(ours, '10.20.0.1');
  await take(await askPool(), '10.20.0.2');
  listed.add('10.20.0.2');
  await take('CalicoPoolIPv4', '10.20.0.3');
  for (const minute of [11, 22, 33]) t.same(await passAt(minute), []);
  t.same(taken().length, 3);
  memory.put('/calico/docker/v1/networks/broken', '{');
  memory.delete(`/calico/docker/v1/networks/${NETWORK.slice(0, 32)}`);
  for (const minute of [44, 55, 66]) t.same(await passAt(minute), [], 'a record says nothing');
  memory.delete('/calico/docker/v1/networks/broken');
  await passAt(77);
  t.same(await passAt(88), [`pool request ${ours}`]);
});

t.test('another machine’s stays', async (t) => {
  const { memory, passAt, askPool, take, taken } = await setUp(t);
  await take(await askPool(), '10.20.0.1');
  for (const [key, value] of Object.entries(memory.dump()))
    if (key.includes('/block/')) memory.put(key, value.replaceAll(UUID, 'another'));
  for (const minute of [11, 22, 33]) t.same(await passAt(minute), []);
  t.same(taken().length, 1);
});
