// CreateEndpoint trusts its memory of the lease: the address is no longer held, the handle still is (second family) or is gone.
import t from 'tap';
import { Address } from '../../src/model/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import {
  createNetwork,
  create,
  endpointId,
  MAC,
  NETWORK,
  request,
} from '../fixtures/plugin-calls.js';

t.test('two families: the IPv4 address was freed and went to another host', async (t) => {
  const memory = createMemoryStore({
    entries: clusterOf(['node1', 'node2'], {
      p4: { cidr: '10.20.0.0/30', blockSize: 30 },
      p6: 'fd00::/120',
    }),
  });
  const pair = await startPluginPair({ store: memory });
  const other = await startPluginPair({
    store: memory,
    node: 'node2',
    uuid: '6f1f3f0a-0000-4000-8000-000000000002',
  });
  t.teardown(async () => {
    await pair.stop();
    await other.stop();
  });
  const four = await createNetwork(pair, '10.20.0.0/30');
  const six = await pair.ipam.call('IpamDriver.RequestPool', { Pool: 'fd00::/120', V6: true });
  await pair.network.call('NetworkDriver.CreateNetwork', {
    NetworkID: 'c'.repeat(64),
    Options: {},
    IPv4Data: [],
    IPv6Data: [{ AddressSpace: 'CalicoLocalAddressSpace', Pool: 'fd00::/120' }],
  });
  const v4 = await request(pair, four);
  const v6 = await request(pair, String(six['PoolID']));
  // Another program of this host's identity frees the IPv4 address (an operator, a late release): the handle keeps the IPv6 one.
  const cli = await startPluginPair({ store: memory });
  await cli.core.ipam.allocator.release(Address.parse(v4.split('/')[0] ?? ''), four, {
    signal: AbortSignal.timeout(5_000),
  });
  await cli.stop();
  const otherPool = await createNetwork(other, '10.20.0.0/30', 'd'.repeat(64));
  const taken = await request(other, otherPool, '02:42:00:00:00:99', v4.split('/')[0]);
  t.equal(taken, v4, 'node2 has it now');
  await t.rejects(
    pair.network.call('NetworkDriver.CreateEndpoint', {
      NetworkID: NETWORK,
      EndpointID: endpointId('b'),
      Interface: { Address: v4, AddressIPv6: v6, MacAddress: MAC },
      Options: {},
    }),
    /freed|not given out/,
    'node1 must not start with it',
  );
});
t.test('after a restart: the cached block still has it, the store has not', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const first = await startPluginPair({ store: memory });
  const poolId = await createNetwork(first);
  const address = await request(first, poolId);
  await first.stop();
  const second = await startPluginPair({ store: memory });
  t.teardown(() => second.stop());
  const cli = await startPluginPair({ store: memory });
  await cli.core.ipam.allocator.release(Address.parse(address.split('/')[0] ?? ''), poolId, {
    signal: AbortSignal.timeout(5_000),
  });
  await cli.stop();
  t.equal(takenAddresses(memory.dump()).size, 0);
  await t.rejects(
    create(second, endpointId('b'), address),
    /freed|not given out/,
    'no endpoint on an address that nobody holds',
  );
});
