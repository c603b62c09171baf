// IPv4 granted; the IPv6 request fails because the store went away: the IPv4 address is neither freed nor written down (0.13).
import t from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import { createNetwork, request } from '../fixtures/plugin-calls.js';

t.test('the first family is given back or noted', async (t) => {
  const memory = createMemoryStore({
    entries: clusterOf(['node1'], { p4: '10.20.0.0/24', p6: 'fd00::/120' }),
  });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const four = await createNetwork(pair, '10.20.0.0/24');
  const six = await pair.ipam.call('IpamDriver.RequestPool', { Pool: 'fd00::/120', V6: true });
  await pair.network.call('NetworkDriver.CreateNetwork', {
    NetworkID: 'c'.repeat(64),
    Options: {},
    IPv4Data: [],
    IPv6Data: [{ AddressSpace: 'CalicoLocalAddressSpace', Pool: 'fd00::/120' }],
  });
  await request(pair, four);
  store.cutOff(true);
  await t.rejects(request(pair, String(six['PoolID'])));
  store.cutOff(false);
  t.ok(
    takenAddresses(memory.dump()).size === 0 || pair.pending.length + pair.unknownClaims.length > 0,
    'freed, or written down',
  );
});
