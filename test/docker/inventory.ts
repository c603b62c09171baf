import t, { type Test } from 'tap';
import { silentLog, systemClock } from '../../src/base/index.js';
import {
  createDockerInventory,
  type DockerInventory,
  type DockerInventoryOptions,
} from '../../src/docker/index.js';
import { socketPath, startDockerApi, type DockerApi } from '../fixtures/docker-api.js';
import { faultOf } from '../fixtures/fault-of.js';
import { until } from '../fixtures/until.js';

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

function start(
  t: Test,
  socketPath: string,
  more: Partial<DockerInventoryOptions> = {},
): DockerInventory {
  const inventory = createDockerInventory({
    socketPath,
    driverName: 'calico',
    ipamDriverName: 'calico-ipam',
    log: silentLog,
    clock: systemClock,
    signal: new AbortController().signal,
    pauseMs: { first: 5, last: 20 },
    ...more,
  });
  t.teardown(() => inventory.stop());
  return inventory;
}

function addNetwork(
  api: DockerApi,
  id: string,
  name: string,
  driver = 'calico',
  ipamDriver = 'calico-ipam',
): void {
  api.networks.set(id, { id, name, driver, ipamDriver });
}

function addContainer(
  api: DockerApi,
  id: string,
  networkId: string,
  endpoint: string,
  ip = '10.77.0.2',
): void {
  const labels = { 'org.projectcalico.label.app': id };
  api.containers.set(id, {
    id,
    name: `name-of-${id}`,
    labels,
    endpoints: { [networkId]: { id: endpoint, ip } },
  });
}

/** An engine with one network of ours, and an inventory that has listed it. */
async function startWithNetwork(
  t: Test,
): Promise<{ readonly api: DockerApi; readonly inventory: DockerInventory }> {
  const api = await startDockerApi(t);
  addNetwork(api, 'n1', 'one');
  const inventory = start(t, api.socketPath);
  await inventory.ready(soon());
  return { api, inventory };
}

/** How often the container list was asked for. */
const containerLists = (api: DockerApi): number =>
  api.asked.filter((path) => path === '/containers/json').length;

t.test('networks of our drivers and their endpoints are known after the first list', async (t) => {
  const api = await startDockerApi(t);
  addNetwork(api, 'n1', 'Net_One');
  addNetwork(api, 'n2', 'managed', 'calico:latest', 'default');
  addNetwork(api, 'n3', 'br', 'bridge', 'calico-ipam');
  addNetwork(api, 'n4', 'foreign', 'bridge', 'default');
  addContainer(api, 'c1', 'n1', 'e1');
  addContainer(api, 'c4', 'n4', 'e4');
  const inventory = start(t, api.socketPath);
  await inventory.ready(soon());
  t.same(
    inventory.networks().map(({ name }) => name),
    ['Net_One', 'managed', 'br'],
  );
  t.match(inventory.networks()[0], {
    id: 'n1',
    internal: false,
    labels: { a: 'b' },
    subnets: [{ subnet: '10.77.0.0/24', gateway: '', auxiliary: [] }],
  });
  t.equal(inventory.nameOf('n1'), 'Net_One');
  t.equal(inventory.nameOf('n4'), undefined);
  t.same(inventory.endpoints(), [
    {
      endpointId: 'e1',
      networkId: 'n1',
      networkName: 'Net_One',
      containerId: 'c1',
      containerName: 'name-of-c1',
      labels: { 'org.projectcalico.label.app': 'c1' },
      addresses: ['10.77.0.2'],
      mac: '02:42:0a:4d:00:02',
    },
  ]);
  t.match(inventory.status(), {
    state: 'connected',
    engine: { id: 'ENGINE:ONE', version: '20.10.24', apiVersion: '1.41' },
    networks: 3,
    endpoints: 1,
  });
  t.notOk(
    api.asked.some((path) => /^\/containers\/[^/]+\/json$/.test(path)),
    'no container is inspected',
  );
});

t.test('a new network is known from its event, before any list', async (t) => {
  const api = await startDockerApi(t);
  const inventory = start(t, api.socketPath);
  await inventory.ready(soon());
  const waiting = inventory.waitFor('n1', 5_000);
  api.mute.add('/networks');
  api.emit('network', 'create', 'n1', { name: 'fresh', type: 'calico' });
  t.equal(await waiting, 'fresh');
  t.equal(await inventory.waitFor('n1', 0), 'fresh');
});

t.test('a network made on another host is learnt with its first container here', async (t) => {
  const { api, inventory } = await startWithNetwork(t);
  addNetwork(api, 'shared', 'net4');
  addContainer(api, 'c1', 'shared', 'e1');
  api.emit('network', 'connect', 'shared', { container: 'c1', name: 'net4', type: 'calico' });
  await until(() => inventory.endpoint('e1') !== undefined, 'the container');
  t.equal(inventory.nameOf('shared'), 'net4');
});

t.test('a list that was asked for before the event does not take the network away', async (t) => {
  const api = await startDockerApi(t);
  const inventory = start(t, api.socketPath);
  await inventory.ready(soon());
  const changes: string[] = [];
  inventory.subscribe({ onNetwork: ({ type, id }) => changes.push(`${type} ${id}`) });
  // The engine tells of n1 but lists it only later.
  api.emit('network', 'create', 'n1', { name: 'fresh', type: 'calico' });
  await until(() => inventory.nameOf('n1') === 'fresh', 'the event');
  addNetwork(api, 'n1', 'fresh');
  await until(() => inventory.networks().length === 1, 'the list');
  t.same(changes, ['learnt n1']);
  api.networks.delete('n1');
  api.emit('network', 'destroy', 'n1', { name: 'fresh', type: 'calico' });
  await until(() => inventory.nameOf('n1') === undefined, 'the removal');
  t.same(changes, ['learnt n1', 'removed n1']);
});

t.test('a network that uses only our IPAM driver is found by the list', async (t) => {
  const api = await startDockerApi(t);
  const inventory = start(t, api.socketPath);
  await inventory.ready(soon());
  addNetwork(api, 'n1', 'br', 'bridge', 'calico-ipam');
  api.emit('network', 'create', 'n1', { name: 'br', type: 'bridge' });
  t.equal(await inventory.waitFor('n1', 5_000), 'br');
});

t.test('waiting for a name asks for the list, and is bounded', async (t) => {
  const api = await startDockerApi(t);
  const inventory = start(t, api.socketPath);
  await inventory.ready(soon());
  addNetwork(api, 'n1', 'made-on-another-host');
  t.equal(await inventory.waitFor('n1', 5_000), 'made-on-another-host', 'no event came');
  const begun = performance.now();
  t.equal(await inventory.waitFor('n9', 50), undefined);
  t.ok(performance.now() - begun < 1_000);
});

t.test('endpoints are told when a container starts, is renamed and ends', async (t) => {
  const { api, inventory } = await startWithNetwork(t);
  const told: string[] = [];
  inventory.subscribe({
    onEndpoint: ({ endpointId, containerName }) => told.push(`${endpointId} ${containerName}`),
    onEndpointGone: (endpointId) => told.push(`${endpointId} gone`),
  });
  addContainer(api, 'c1', 'n1', 'e1');
  api.emit('network', 'connect', 'n1', { container: 'c1', name: 'one', type: 'calico' });
  api.emit('container', 'start', 'c1', { name: 'name-of-c1' });
  await until(() => told.length === 1, 'the endpoint');
  const container = api.containers.get('c1');
  t.ok(container);
  if (container !== undefined) api.containers.set('c1', { ...container, name: 'new' });
  api.emit('container', 'rename', 'c1', { name: 'new' });
  await until(() => told.length === 2, 'the new name');
  api.containers.delete('c1');
  api.emit('network', 'disconnect', 'n1', { container: 'c1', name: 'one', type: 'calico' });
  await until(() => told.length === 3, 'the end');
  t.same(told, ['e1 name-of-c1', 'e1 new', 'e1 gone']);
});

t.test('a connect that the list shows only later is asked for again', async (t) => {
  const { api, inventory } = await startWithNetwork(t);
  const before = containerLists(api);
  api.emit('network', 'connect', 'n1', { container: 'c1', name: 'one', type: 'calico' });
  await until(() => containerLists(api) > before + 1, 'a second look');
  addContainer(api, 'c1', 'n1', 'e1');
  await until(() => inventory.endpoint('e1') !== undefined, 'the endpoint without a further event');
});

t.test('a start costs Docker one list when it is over, and a stop none', async (t) => {
  const { api, inventory } = await startWithNetwork(t);
  const before = containerLists(api);
  api.emit('network', 'connect', 'n1', { container: 'c1', name: 'one', type: 'calico' });
  addContainer(api, 'c1', 'n1', 'e1');
  api.emit('container', 'start', 'c1', { name: 'name-of-c1' });
  await until(() => inventory.endpoint('e1') !== undefined, 'the endpoint');
  t.equal(containerLists(api), before + 1);
  api.containers.delete('c1');
  api.emit('network', 'disconnect', 'n1', { container: 'c1', name: 'one', type: 'calico' });
  await until(() => inventory.endpoint('e1') === undefined, 'its end');
  t.equal(containerLists(api), before + 1);
});

t.test('many events at once cost few lists', async (t) => {
  const { api, inventory } = await startWithNetwork(t);
  const before = api.asked.length;
  for (let index = 0; index < 200; index += 1) {
    addContainer(api, `c${index}`, 'n1', `e${index}`);
    api.emit('network', 'connect', 'n1', { container: `c${index}`, name: 'one', type: 'calico' });
  }
  await until(() => inventory.endpoints().length === 200, 'all endpoints');
  t.ok(api.asked.length - before <= 5, `${api.asked.length - before} requests for 200 starts`);
});

t.test(
  'after a restart of dockerd everything is listed again, and events since the last are asked for',
  async (t) => {
    const { api, inventory } = await startWithNetwork(t);
    api.emit('container', 'start', 'c0');
    const first = api.since;
    await until(() => containerLists(api) > 1, 'the event');
    const changes: string[] = [];
    inventory.subscribe({ onNetwork: ({ type, name }) => changes.push(`${type} ${name}`) });
    addNetwork(api, 'n2', 'two');
    api.networks.delete('n1');
    api.endStreams();
    await until(() => inventory.nameOf('n2') === 'two', 'the new list');
    t.same(changes, ['learnt one', 'removed one', 'learnt two']);
    await until(() => inventory.status().state === 'connected', 'the connection');
    t.ok(Number(api.since) > Number(first), `${api.since} follows ${first}`);
    t.equal(api.openStreams, 1);
  },
);

t.test('an absent, mute or failing dockerd is said and tried again', async (t) => {
  const socket = socketPath(t);
  const inventory = start(t, socket);
  await until(() => inventory.status().state === 'unreachable', 'the refusal');
  t.match(
    inventory.status().message,
    /does not answer \/_ping: connect ENOENT .*is dockerd running/,
  );
  const begun = performance.now();
  t.equal(await inventory.waitFor('n1', 5_000), undefined, 'not waited for while nobody can tell');
  t.ok(performance.now() - begun < 500);
  t.match(await faultOf(inventory.look(soon())), {
    kind: 'unavailable',
    reason: 'docker-unreachable',
  });
  const api = await startDockerApi(t, socket);
  api.failing.add('/networks');
  await until(() => /server misbehaving/.test(inventory.status().message ?? ''), 'the failure');
  api.failing.clear();
  await inventory.ready(soon());
  t.equal(inventory.status().state, 'connected');
  t.equal(inventory.status().message, undefined);
});

t.test('while dockerd starts it accepts and does not answer: a try is bounded', async (t) => {
  const api = await startDockerApi(t);
  api.mute.add('/_ping');
  const inventory = start(t, api.socketPath);
  await until(() => inventory.status().state === 'unreachable', 'the bound');
  t.match(inventory.status().message, /_ping did not finish within its bound/);
  api.mute.clear();
  await inventory.ready(soon());
});

t.test(
  'a look sees containers and stale endpoints, and fails when anything is unanswered',
  async (t) => {
    const api = await startDockerApi(t);
    addNetwork(api, 'n1', 'one');
    addNetwork(api, 'n4', 'foreign', 'bridge', 'default');
    api.containers.set('c1', {
      id: 'c1',
      name: 'c1',
      endpoints: { n1: { id: 'e1', ip: '10.77.0.2', ip6: 'fd00::2' } },
    });
    api.stale.set('n1', { endpointId: 'e-stale', ip: '10.77.0.7' });
    addContainer(api, 'c4', 'n4', 'e4', '10.9.9.9');
    const inventory = start(t, api.socketPath);
    await inventory.ready(soon());
    const look = await inventory.look(soon());
    t.equal(look.engineId, 'ENGINE:ONE');
    t.same([...look.networkIds], ['n1', 'n4']);
    t.same([...look.endpointIds].sort(), ['e-stale', 'e1']);
    t.same([...look.addresses].sort(), ['10.77.0.2', '10.77.0.7', 'fd00::2']);
    api.failing.add('/networks/n1');
    t.match(await faultOf(inventory.look(soon())), { kind: 'unavailable', reason: 'http-500' });
    api.failing.clear();
    api.mute.add('/containers/json');
    t.equal((await faultOf(inventory.look(AbortSignal.timeout(50)))).kind, 'timeout');
  },
);

t.test(
  'a container that a crash of dockerd left behind has no endpoint, whatever the list says',
  async (t) => {
    const api = await startDockerApi(t);
    addNetwork(api, 'n1', 'one');
    addContainer(api, 'c1', 'n1', 'e1');
    addContainer(api, 'c2', 'n1', 'e2');
    const dead = api.containers.get('c2');
    t.ok(dead);
    if (dead !== undefined) api.containers.set('c2', { ...dead, state: 'exited' });
    const inventory = start(t, api.socketPath);
    await inventory.ready(soon());
    t.same(
      inventory.endpoints().map(({ endpointId }) => endpointId),
      ['e1'],
    );
    t.same([...(await inventory.look(soon())).endpointIds], ['e1']);
  },
);

t.test('stop ends everything, also twice', async (t) => {
  const api = await startDockerApi(t);
  const inventory = start(t, api.socketPath);
  await inventory.ready(soon());
  await inventory.stop();
  await inventory.stop();
  t.equal(inventory.status().state, 'stopped');
  await until(() => api.openStreams === 0, 'the stream to be closed');
});
