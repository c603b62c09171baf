import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { createNetwork, NETWORK, request } from '../fixtures/plugin-calls.js';

t.test('one damaged network record does not keep others from being removed', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  await createNetwork(pair);
  await pair.core.driver.networks.rename(NETWORK, 'net1', {});
  memory.put('/calico/docker/v1/networks/zzz', 'not json');
  await pair.network.call('NetworkDriver.DeleteNetwork', { NetworkID: NETWORK });
  t.notOk(
    Object.keys(memory.dump()).some((key) => key.endsWith(NETWORK.slice(0, 32))),
    'the record is gone',
  );
});
t.test('what a refusal costs when the pool is full', async (t) => {
  const entries: Record<string, string> = clusterOf(['node1'], {
    pool1: { cidr: '10.20.0.0/16', blockSize: 26 },
  });
  for (let n = 0; n < 1024; n += 1) {
    const base = `10.20.${n >> 2}.${(n & 3) * 64}`;
    entries[`/calico/ipam/v2/assignment/ipv4/block/${base}-26`] = JSON.stringify({
      cidr: `${base}/26`,
      affinity: 'host:other',
      affinity_claim_time: '2026-01-01T00:00:00Z',
      allocations: Array.from({ length: 64 }, () => 0),
      unallocated: [],
      attributes: [{ handle_id: 'x', secondary: { node: 'other' } }],
      sequenceNumber: 1,
      sequenceNumberForAllocation: {},
      deleted: false,
    });
  }
  const store = createFaultyStore(createMemoryStore({ entries }));
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair);
  for (let n = 0; n < 2; n += 1) {
    store.reset();
    const cpu = process.cpuUsage();
    await t.rejects(request(pair, poolId), /no free address/);
    t.comment(`round trips ${store.roundTrips}, CPU ${process.cpuUsage(cpu).user / 1000} ms`);
  }
});
