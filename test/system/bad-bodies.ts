import { connect } from 'node:net';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { CalicoHost } from '../fixtures/calico-host.js';
import { startBareHost } from '../fixtures/bare-host.js';
import { engineObstacle } from '../fixtures/docker-engine.js';
import {
  EngineError,
  type Answer,
  type EngineClient,
  type RawAnswer,
} from '../fixtures/engine-client.js';
import { hostInterfaces } from '../fixtures/kernel-view.js';
import { NETWORK_SOCKET } from '../fixtures/plugin-daemon.js';
import { dumpStore, endpoints, outline } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;

const NETWORK_METHODS = [
  ...['AllocateNetwork', 'FreeNetwork', 'CreateNetwork', 'DeleteNetwork', 'CreateEndpoint'],
  ...['DeleteEndpoint', 'EndpointOperInfo', 'Join', 'Leave', 'GetCapabilities', 'GwAllocCheck'],
  ...['ProgramExternalConnectivity', 'RevokeExternalConnectivity', 'DiscoverNew', 'DiscoverDelete'],
].map((name) => `NetworkDriver.${name}`);
const IPAM_METHODS = [
  ...['GetCapabilities', 'GetDefaultAddressSpaces', 'RequestPool', 'ReleasePool'],
  ...['RequestAddress', 'ReleaseAddress'],
].map((name) => `IpamDriver.${name}`);

/** Bodies that no engine sends, and one of each kind that a broken one might. */
const bodies: Readonly<Record<string, string | Buffer>> = {
  empty: '',
  spaces: ' \n',
  truncated: '{"NetworkID":"abc","Endpoin',
  'no JSON': 'hello',
  'not UTF-8': Buffer.from([0xff, 0xfe, 0x00, 0x7b]),
  null: 'null',
  number: '7',
  array: '[{"NetworkID":"abc"}]',
  text: '"NetworkID"',
  'wrong types':
    '{"NetworkID":7,"EndpointID":{},"PoolID":[],"Address":true,"Interface":"x","Options":[]}',
  'no members': '{}',
  'nothing in them': '{"NetworkID":"","EndpointID":"","PoolID":"","Address":"","SandboxKey":""}',
  'a path as an ID':
    '{"NetworkID":"../../etc","EndpointID":"../x","SandboxKey":"/","PoolID":"../p"}',
  'a very long ID': JSON.stringify({ NetworkID: 'a'.repeat(5000), EndpointID: 'b'.repeat(5000) }),
  prototype: '{"__proto__":{"NetworkID":"abc"},"constructor":{"prototype":{}}}',
  deep: `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
  huge: JSON.stringify({ NetworkID: 'abc', Options: { text: 'x'.repeat(9_000_000) } }),
};

const LIMIT = 8 * 1024 * 1024;

/** They need nothing from their body, and Docker's retry after a broken connection has none. */
const NEEDS_NOTHING =
  /Capabilities|AddressSpaces|GwAllocCheck|OperInfo|Discover|FreeNetwork|RevokeExternal/;

t.test('bodies that are none', { skip }, async (t) => {
  const host = await startBareHost(t);
  const daemon = host.daemon();
  const before = outline(await dumpStore(host));
  for (const [name, payload] of Object.entries(bodies)) {
    await t.test(name, async (t) => {
      for (const [client, methods] of [
        [daemon.network, NETWORK_METHODS],
        [daemon.ipam, IPAM_METHODS],
      ] as const) {
        for (const method of methods) await refusedOrAnswered(t, client, method, payload);
      }
    });
  }
  await t.test('half a request', (t) => halfRequest(t, host));
  t.same(outline(await dumpStore(host)), before, 'the store is as it was');
  t.same(await hostInterfaces(host.host), [], 'and so is the kernel');
  t.ok(daemon.process.running());
  t.equal((await daemon.network.raw('Plugin.Activate')).status, 200);
  t.notMatch(daemon.log(), /"level":"(?:error|fatal)"/, 'none of it is an error of ours');
});

async function refusedOrAnswered(
  t: Test,
  client: EngineClient,
  method: string,
  payload: string | Buffer,
): Promise<void> {
  const started = performance.now();
  const sent = await client.bytes(method, payload).catch((error: unknown) => error);
  if (sent instanceof Error) {
    // Beyond 8 MiB the connection may be cut before the sender looks for an answer.
    t.ok(payload.length > LIMIT, `${method}: ${sent.message}`);
    return;
  }
  const { status, text } = sent as RawAnswer;
  t.ok(performance.now() - started < 5_000, `${method} is answered soon`);
  const answer = JSON.parse(text) as { Err?: string; Error?: string };
  const error = answer.Err ?? answer.Error;
  if (error !== undefined) t.match(error, /^[^\n]{8,600}$/, `${method}: one line`);
  else t.equal(status, 200, method);
  // What makes something must not be answered as if it had.
  if (/Create|Join|RequestAddress/.test(method)) t.ok(error, `${method} makes nothing of it`);
  if (NEEDS_NOTHING.test(method) && payload === '') t.notOk(error, `${method} is answered`);
}

/** A client that dies in the middle of its request holds up nobody. */
async function halfRequest(t: Test, host: CalicoHost): Promise<void> {
  const socket = connect(host.host.path(NETWORK_SOCKET));
  await once(socket, 'connect');
  socket.write('POST /NetworkDriver.Join HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{"Net');
  t.equal((await host.daemon().network.raw('Plugin.Activate')).status, 200);
  socket.destroy();
  t.equal((await host.daemon().network.raw('Plugin.Activate')).status, 200);
}

const NETWORK = 'a'.repeat(64);
const ENDPOINT = 'b'.repeat(64);
const ids = { NetworkID: NETWORK, EndpointID: ENDPOINT };

t.test('calls about what is not there, repeated, and in any order', { skip }, async (t) => {
  const host = await startBareHost(t);
  const { network, ipam } = host.daemon();
  const start = outline(await dumpStore(host)).filter(
    (line) => !/ipam\/v2\/(?:assignment|host)/.test(line),
  );

  await t.test('unknown methods', async (t) => {
    for (const [client, method] of [
      [network, 'NetworkDriver.Explode'],
      [network, 'IpamDriver.RequestPool'],
      [ipam, 'NetworkDriver.Join'],
      [ipam, 'Nothing'],
    ] as const) {
      const { status, text } = await client.raw(method, {});
      t.equal(status, 404, 'Docker takes 404 for "this plugin does not do that"');
      t.match(text, /has no method/);
    }
  });
  await t.test('unknown networks and endpoints', async (t) => {
    for (const method of [
      'Leave',
      'DeleteEndpoint',
      'EndpointOperInfo',
      'RevokeExternalConnectivity',
    ]) {
      await network.call(`NetworkDriver.${method}`, ids);
    }
    await network.call('NetworkDriver.DeleteNetwork', ids);
    await ipam.call('IpamDriver.ReleaseAddress', { PoolID: 'auto.v4.0', Address: '192.168.3.4' });
    await ipam.call('IpamDriver.ReleasePool', { PoolID: 'auto.v4.0' });
    t.match(
      await refusal(network, 'NetworkDriver.CreateEndpoint', { ...ids, Interface: {} }),
      /network aaaaaaaaaaaa is not known/,
    );
    const join = { ...ids, SandboxKey: '/var/run/docker/netns/x' };
    t.match(
      await refusal(network, 'NetworkDriver.Join', join),
      /endpoint bbbbbbbbbbbb does not exist/,
    );
    const address = { PoolID: 'gone.v4.0123456789ab', Address: '' };
    t.match(await refusal(ipam, 'IpamDriver.RequestAddress', address), /pool|calico networks only/);
  });
  await t.test('everything twice', (t) => twice(t, host));
  await t.test('from the wrong end', (t) => wrongEnd(t, host));
  await until(
    async () => (await hostInterfaces(host.host)).length === 0,
    'no interface to be left',
  );
  const end = outline(await dumpStore(host)).filter(
    (line) => !/ipam\/v2\/(?:assignment|host)/.test(line),
  );
  t.same(end, start, 'nothing is left');
});

async function refusal(client: EngineClient, method: string, body: Answer): Promise<string> {
  const error: unknown = await client.call(method, body).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error.message;
  throw new Error(`${method} was not refused: ${String(error)}`);
}

const MAC = '02:42:00:00:00:01';

/** The calls of a start, each made twice; gives the pool and the address. */
async function startTwice(host: CalicoHost): Promise<{ PoolID: string; Address: string }> {
  const { network, ipam } = host.daemon();
  const request = { AddressSpace: 'CalicoLocalAddressSpace', Pool: '', SubPool: '', V6: false };
  const { PoolID, Pool } = await ipam.call('IpamDriver.RequestPool', request);
  const data = { AddressSpace: 'CalicoLocalAddressSpace', Pool, Gateway: '169.254.1.1/32' };
  const create = { NetworkID: NETWORK, Options: {}, IPv4Data: [data], IPv6Data: [] };
  await both(network, 'NetworkDriver.CreateNetwork', create);
  const Options = { 'com.docker.network.endpoint.macaddress': MAC };
  const asked = { PoolID, Address: '', Options };
  const { Address } = await ipam.call('IpamDriver.RequestAddress', asked);
  const Interface = { Address, AddressIPv6: '', MacAddress: MAC };
  await both(network, 'NetworkDriver.CreateEndpoint', { ...ids, Interface, Options: {} });
  return { PoolID: String(PoolID), Address: String(Address) };
}

async function both(
  client: EngineClient,
  method: string,
  body: Answer,
): Promise<readonly Answer[]> {
  return [await client.call(method, body), await client.call(method, body)];
}

async function twice(t: Test, host: CalicoHost): Promise<void> {
  const { network, ipam } = host.daemon();
  const { PoolID, Address } = await startTwice(host);
  const SandboxKey = '/var/run/docker/netns/000000000001';
  const [first, second] = await both(network, 'NetworkDriver.Join', {
    ...ids,
    SandboxKey,
    Options: {},
  });
  t.same(first, second, 'a second Join has the same answer');
  const stored = endpoints(await dumpStore(host));
  t.same([...stored.keys()], [ENDPOINT], 'one endpoint');
  t.same(stored.get(ENDPOINT)?.spec.ipNetworks, [Address]);
  await both(network, 'NetworkDriver.RevokeExternalConnectivity', ids);
  await both(network, 'NetworkDriver.Leave', ids);
  await both(network, 'NetworkDriver.DeleteEndpoint', ids);
  const bare = Address.split('/')[0] ?? '';
  await both(ipam, 'IpamDriver.ReleaseAddress', { PoolID, Address: bare });
  await both(ipam, 'IpamDriver.ReleasePool', { PoolID });
  await both(network, 'NetworkDriver.DeleteNetwork', { NetworkID: NETWORK });
}

/** Network, pool and address go before the endpoint that uses them, and it is joined after its end. */
async function wrongEnd(t: Test, host: CalicoHost): Promise<void> {
  const { network, ipam } = host.daemon();
  const { PoolID, Address } = await startTwice(host);
  const SandboxKey = '/var/run/docker/netns/000000000002';
  await network.call('NetworkDriver.Join', { ...ids, SandboxKey, Options: {} });
  await network.call('NetworkDriver.DeleteNetwork', { NetworkID: NETWORK });
  await ipam.call('IpamDriver.ReleasePool', { PoolID });
  await ipam.call('IpamDriver.ReleaseAddress', { PoolID, Address: Address.split('/')[0] });
  await network.call('NetworkDriver.DeleteEndpoint', ids);
  await network.call('NetworkDriver.Leave', ids);
  const join = { ...ids, SandboxKey, Options: {} };
  t.match(await refusal(network, 'NetworkDriver.Join', join), /does not exist on this host/);
}
