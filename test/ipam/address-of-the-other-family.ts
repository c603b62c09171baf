// An IPv4 address asked for in an IPv6 pool without a subnet was given out of whatever pool has it.
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';

t.test('an address is of the family of its pool', async (t) => {
  const pools = { four: '10.20.0.0/16', six: 'fd00:9::/64' };
  const memory = createMemoryStore({ entries: clusterOf(['node1'], pools) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const { PoolID } = await pair.ipam.call('IpamDriver.RequestPool', { Pool: '', V6: true });
  await t.rejects(
    pair.ipam.call('IpamDriver.RequestAddress', { PoolID, Address: '10.20.0.5' }),
    /10\.20\.0\.5 is no IPv6 address/,
  );
  t.equal(takenAddresses(memory.dump()).size, 0);
});
