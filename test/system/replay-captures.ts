import t, { type Test } from 'tap';
import { startBareHost } from '../fixtures/bare-host.js';
import { engineObstacle, type EngineVersion } from '../fixtures/docker-engine.js';
import type { CalicoHost } from '../fixtures/calico-host.js';
import { hostInterfaces, kernelState, TABLE } from '../fixtures/kernel-view.js';
import type { PluginDaemon } from '../fixtures/plugin-daemon.js';
import { captureNames, readCapture, replayCapture, subnetsOf } from '../fixtures/replay-capture.js';
import { expectedAfter, type Expectation } from '../fixtures/replay-model.js';
import { callsBefore } from '../fixtures/replay-setup.js';
import { allocations, dumpStore, endpoints, outline, type Dump } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const versions: readonly EngineVersion[] = ['20.10', '26', '28'];
const skip = engineObstacle('20.10') ?? false;

/** Every capture of an engine, its calls in order, and what had been done before it. */
const captures = (
  version: EngineVersion,
): readonly (readonly [string, Parameters<typeof replayCapture>[0]])[] =>
  captureNames(version).map((name) => {
    const calls = readCapture(version, name);
    return [name, [...callsBefore(calls), ...calls]];
  });

for (const version of versions) {
  t.test(`what engine ${version} sent, to both sockets`, { skip }, async (t) => {
    const host = await startHost(
      t,
      captures(version).flatMap(([, calls]) => subnetsOf(calls)),
    );
    for (const [name, calls] of captures(version)) {
      await t.test(name, async (t) => {
        const store = withoutOwnBlocks(outline(await dumpStore(host)));
        const kernel = withoutBlackholes(await kernelState(host.host));
        const expected = expectedAfter(await replayCapture(calls, host.daemon()));
        await t.test('store and kernel are as the calls say', (t) => agree(t, host, expected));
        await tearDown(t, host.daemon(), expected);
        await until(async () => (await hostInterfaces(host.host)).length === 0, 'the interfaces');
        t.same(withoutOwnBlocks(outline(await dumpStore(host))), store, 'the store is as before');
        t.same(withoutBlackholes(await kernelState(host.host)), kernel, 'and the kernel');
      });
    }
  });
}

/** A host without Docker, with a pool for each subnet: the captures are its engine. */
async function startHost(t: Test, subnets: readonly string[]): Promise<CalicoHost> {
  const host = await startBareHost(t);
  const pools = [...new Set([...subnets, 'fd00:99::/64'])].map((cidr) => ({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: cidr.replaceAll(/[.:/]+/g, '-') },
    spec: { cidr, natOutgoing: true },
  }));
  const made = await host.calicoctl(['create', '-f', '-'], JSON.stringify(pools));
  t.equal(made.status, 0, made.stderr);
  return host;
}

/** Calico keeps a host's empty blocks, and routes to them lead nowhere. */
const withoutOwnBlocks = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => !/^\/calico\/ipam\/v2\/(?:assignment|host)\//.test(line));
const withoutBlackholes = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => !line.startsWith('blackhole'));

async function agree(t: Test, host: CalicoHost, expected: Expectation): Promise<void> {
  const dump = await dumpStore(host);
  t.same(networksOf(dump), [...expected.networks].sort(), 'networks');
  t.same([...endpoints(dump).keys()].sort(), [...expected.endpoints.keys()].sort(), 'endpoints');
  for (const [id, { addresses }] of expected.endpoints) {
    const stored = endpoints(dump)
      .get(id)
      ?.spec.ipNetworks.map((one) => one.split('/')[0]);
    t.same(stored, addresses, 'with their addresses');
  }
  t.same([...allocations(dump).keys()].sort(), [...expected.addresses.keys()].sort(), 'addresses');
  const named = (ids: readonly string[]): string[] =>
    ids.map((id) => `cali${id.slice(0, 11)}`).sort();
  const inState = (...states: readonly string[]): string[] =>
    [...expected.endpoints].filter(([, { state }]) => states.includes(state)).map(([id]) => id);
  const all = named([...expected.endpoints.keys()]);
  await until(
    async () => (await hostInterfaces(host.host)).join(' ') === all.join(' '),
    `the interfaces ${all.join(' ')}`,
  );
  const map = await host.host.must('nft', ['list', 'map', 'inet', TABLE, 'to-wl']);
  t.same(
    [...map.matchAll(/"(cali\w+)" :/g)]
      .map(([, name]) => name)
      .sort((a = '', b = '') => a.localeCompare(b)),
    named(inState('joined', 'left')),
    'policy',
  );
  const routes = await host.host.must('ip', ['route', 'show', 'proto', '80', 'scope', 'link']);
  const routed = inState('joined').flatMap((id) => expected.endpoints.get(id)?.addresses ?? []);
  t.same(
    [...routes.matchAll(/^([\d.]+) dev cali/gm)]
      .map(([, address]) => address)
      .sort((a = '', b = '') => a.localeCompare(b)),
    routed.filter((address) => !address.includes(':')).sort((a = '', b = '') => a.localeCompare(b)),
    'routes',
  );
}

function networksOf(dump: Dump): readonly string[] {
  return [...dump]
    .filter(([key]) => key.startsWith('/calico/docker/v1/networks/'))
    .map(([, value]) => (JSON.parse(value) as { hosts: { node1: string } }).hosts.node1)
    .sort();
}

/** What Docker would still have to say to be rid of everything. */
async function tearDown(t: Test, daemon: PluginDaemon, expected: Expectation): Promise<void> {
  for (const [EndpointID, { networkId }] of expected.endpoints) {
    const body = { NetworkID: networkId, EndpointID };
    await daemon.network.call('NetworkDriver.Leave', body);
    await daemon.network.call('NetworkDriver.DeleteEndpoint', body);
  }
  for (const [Address, { poolId }] of expected.addresses) {
    await daemon.ipam.call('IpamDriver.ReleaseAddress', { PoolID: poolId, Address });
  }
  for (const PoolID of expected.pools) await daemon.ipam.call('IpamDriver.ReleasePool', { PoolID });
  for (const NetworkID of expected.networks) {
    await daemon.network.call('NetworkDriver.DeleteNetwork', { NetworkID });
  }
  t.ok(daemon.process.running());
}
