// What was deleted while a call waited came back with the rest of that call: the endpoint in memory and in the kernel's
// rules, the network's profile in the store, for ever.
import t, { type Test } from 'tap';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  NETWORK,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';

const ID = endpointId('b');
const of = { NetworkID: NETWORK, EndpointID: ID };

async function setUp(t: Test) {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const address = await request(pair, await createNetwork(pair));
  const remove = () => pair.network.call('NetworkDriver.DeleteEndpoint', of);
  return { memory, store, pair, address, remove, context: pair.core.driver.endpoints.context };
}

t.test('a network that is deleted before the endpoint is stored leaves no profile', async (t) => {
  const { memory, store, pair, address } = await setUp(t);
  store.beforeCommit(async () => void (await pair.network.call('NetworkDriver.DeleteNetwork', of)));
  await t.rejects(create(pair, ID, address), { message: /network aaaaaaaaaaaa is not known/ });
  const left = Object.keys(memory.dump()).filter((key) => /\/profiles\/|networks/.test(key));
  t.same(left, []);
});

t.test('an endpoint that is deleted while its Join waits is not programmed', async (t) => {
  const { pair, address, remove, context } = await setUp(t);
  await create(pair, ID, address);
  const { networks } = context;
  const known = networks.require.bind(networks);
  networks.require = async (...given) => {
    await remove();
    return known(...given);
  };
  await t.rejects(join(pair, ID), { message: /does not exist on this host/ });
  t.same([...pair.programmed.keys()], []);
  t.equal(context.book.get(ID), undefined);
});

t.test('an endpoint that is deleted while its Leave waits stays deleted', async (t) => {
  const { pair, address, remove, context } = await setUp(t);
  await create(pair, ID, address);
  await join(pair, ID);
  const { veths } = context;
  const down = veths.down.bind(veths);
  veths.down = async (index) => {
    await down(index);
    await remove();
  };
  await pair.network.call('NetworkDriver.Leave', of);
  t.equal(context.book.get(ID), undefined);
});

t.test('an endpoint that is made again while its deletion ends stays', async (t) => {
  const { memory, pair, address, remove, context } = await setUp(t);
  await create(pair, ID, address);
  const { programmer } = context;
  const withdraw = programmer.withdraw.bind(programmer);
  let again: Promise<unknown> = Promise.resolve();
  programmer.withdraw = async (id) => {
    programmer.withdraw = withdraw;
    again = create(pair, ID, address);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await withdraw(id);
  };
  await remove();
  await again;
  t.ok(memory.dump()[wepKey(ID)], 'stored');
  t.ok(context.book.get(ID), 'and known');
  await remove();
  t.notOk(memory.dump()[wepKey(ID)], 'until it is deleted');
});

t.test('a deletion waits for the creation that is under way', async (t) => {
  const { memory, store, pair, address, remove } = await setUp(t);
  let removing: Promise<unknown> = Promise.resolve();
  store.beforeCommit(async () => {
    removing = remove();
    await new Promise((resolve) => setTimeout(resolve, 100));
  });
  await create(pair, ID, address);
  await removing;
  t.notOk(memory.dump()[wepKey(ID)]);
});
