// Two CreateEndpoint at the same time. The same one: the second failed and took the first one's interface along. Two
// endpoints with one address: both were stored.
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { createMemoryNetlink } from '../../src/netlink/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';

t.test('of two endpoints with one address the later one has it', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const address = await request(pair, await createNetwork(pair));
  await Promise.all(['b', 'c'].map((letter) => create(pair, endpointId(letter), address)));
  const stored = ['b', 'c'].filter((letter) => memory.dump()[wepKey(endpointId(letter))]);
  t.equal(stored.length, 1);
});

t.test('both have the same answer, and the interface stays', async (t) => {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const netlink = createMemoryNetlink();
  const createVeth = netlink.createVeth.bind(netlink);
  // A kernel that is slower than the store.
  netlink.createVeth = async (spec) => {
    await delay(50);
    return createVeth(spec);
  };
  const pair = await startPluginPair({ store: memory, netlink });
  t.teardown(() => pair.stop());
  const address = await request(pair, await createNetwork(pair));
  const id = endpointId('b');
  const [first, second] = await Promise.all([
    create(pair, id, address, ''),
    create(pair, id, address, ''),
  ]);
  t.same(first, second);
  await pair.core.driver.endpoints.context.veths.flush();
  const names = (await pair.netlink.links()).map(({ name }) => name);
  t.ok(names.includes(`cali${'b'.repeat(11)}`), names.join(' '));
  await t.resolves(join(pair, id));
});
