import t from 'tap';
import { silentLog } from '../../src/base/index.js';
import { hostRecordKey, resourceKey, type Store } from '../../src/datastore/index.js';
import {
  MADE_BY_ANNOTATION,
  recordEngine,
  registerNode,
  type HostView,
  type NodeSettings,
  type Registration,
} from '../../src/node/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { hostView, type ViewInterface } from '../fixtures/host-view.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const clock = { now: () => Date.parse('2026-08-01T10:00:00.500Z'), monotonic: () => 0 };
const UUID = '6f0c1d5e-0000-4000-8000-000000000001';
const plain: NodeSettings = { noDefaultPools: false, ipv4Pool: {}, ipv6Pool: {} };
const eth0: ViewInterface = { name: 'eth0', addresses: ['172.16.60.215/24'], defaultRoute: 0 };
const segment = hostView([{ name: 'lo', addresses: ['127.0.0.1/8'] }, eth0]);

interface Given {
  readonly settings?: Partial<NodeSettings>;
  readonly view?: HostView;
  readonly nodeName?: string;
  readonly hostUuid?: string;
  readonly newcomerEpoch?: string;
}

function register(store: Store, given: Given = {}): Promise<Registration> {
  return registerNode({
    store,
    nodeName: given.nodeName ?? 'node1',
    hostUuid: given.hostUuid ?? UUID,
    settings: { ...plain, ...given.settings },
    view: given.view ?? segment,
    version: '0.1.0',
    ...(given.newcomerEpoch === undefined ? {} : { newcomerEpoch: given.newcomerEpoch }),
    clock,
    log: silentLog,
  });
}

const nodeKey = resourceKey('nodes', 'node1');
const poolKey = resourceKey('ippools', 'default-ipv4-ippool');
const clusterKey = resourceKey('clusterinformations', 'default');
interface Stored {
  readonly metadata: {
    readonly annotations: Record<string, string>;
    readonly creationTimestamp: string;
  };
  readonly spec: Record<string, unknown> & { readonly cidr: string };
}
const read = (dump: Record<string, string>, key: string): Stored => JSON.parse(dump[key] ?? 'null');

t.test('an empty datastore gets what calico/node writes, and what is ours', async (t) => {
  const store = createMemoryStore();
  const result = await register(store);
  const dump = store.dump();
  t.same(Object.keys(dump).sort(), [
    hostRecordKey('node1'),
    clusterKey,
    poolKey,
    nodeKey,
    resourceKey('tiers', 'default'),
    resourceKey('tiers', 'kube-admin'),
    resourceKey('tiers', 'kube-baseline'),
  ]);
  t.match(read(dump, clusterKey).spec, { clusterGUID: /^[0-9a-f]{32}$/, datastoreReady: true });
  t.notOk(
    'calicoVersion' in read(dump, clusterKey).spec,
    'a version would stop the real calicoctl',
  );
  t.same(read(dump, nodeKey).spec, { bgp: { ipv4Address: '172.16.60.215/24' } });
  t.equal(read(dump, nodeKey).metadata.creationTimestamp, '2026-08-01T10:00:00Z');
  t.same(read(dump, poolKey).spec, {
    cidr: '192.168.0.0/16',
    vxlanMode: 'Never',
    ipipMode: 'Never',
    natOutgoing: true,
    blockSize: 26,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
    assignmentMode: 'Automatic',
  });
  t.equal(read(dump, poolKey).metadata.annotations[MADE_BY_ANNOTATION], 'node1');
  t.same(read(dump, hostRecordKey('node1')), { uuid: UUID, version: '0.1.0' });
  t.match(result, { clusterGuid: /^[0-9a-f]{32}$/, datastoreReady: true, warnings: [] });
  t.equal(result.node.ipv4Address, '172.16.60.215/24');
  t.equal(result.nodeRevision, (await store.get(nodeKey))?.revision);
});

t.test('a second start reads once and writes nothing', async (t) => {
  const store = createFaultyStore(createMemoryStore());
  const first = await register(store);
  t.equal(store.calls.filter((call) => call.operation === 'commit').length, 1);
  store.reset();
  const second = await register(store);
  t.same(store.calls.map((call) => call.operation).sort(), ['getMany', 'list']);
  t.same(second, { ...first, written: [] });
});

t.test('an existing Node keeps what we do not know, and what others set', async (t) => {
  const stored = {
    kind: 'Node',
    apiVersion: 'projectcalico.org/v3',
    metadata: {
      name: 'node1',
      uid: 'u',
      creationTimestamp: '2020-01-01T00:00:00Z',
      labels: { rack: 'r1' },
      future: 1,
    },
    spec: {
      bgp: {
        asNumber: 64512,
        ipv4Address: '172.16.60.9/24',
        ipv4IPIPTunnelAddr: '10.0.0.1',
        newer: true,
      },
      more: {},
    },
    status: { podCIDRs: ['x'] },
  };
  const store = createMemoryStore({ entries: { [nodeKey]: JSON.stringify(stored) } });
  await register(store, { settings: { ip: 'autodetect' } });
  const now = read(store.dump(), nodeKey);
  stored.spec.bgp.ipv4Address = '172.16.60.215/24';
  t.same(now, stored);
  await register(store, { settings: { ip: 'none', as: '1.10' } });
  t.same(read(store.dump(), nodeKey).spec.bgp, {
    asNumber: 65546,
    ipv4IPIPTunnelAddr: '10.0.0.1',
    newer: true,
  });
  const before = store.dump()[nodeKey];
  t.same(
    (await register(store, { settings: { ip: 'none' } })).written,
    [],
    'an unset AS takes nothing away',
  );
  t.equal(store.dump()[nodeKey], before);
});

t.test('ClusterInformation of others is completed, never corrected', async (t) => {
  const cluster = (spec: object): string =>
    JSON.stringify({
      kind: 'ClusterInformation',
      apiVersion: 'projectcalico.org/v3',
      metadata: { name: 'default' },
      spec,
    });
  const store = createMemoryStore({
    entries: {
      [clusterKey]: cluster({ clusterType: 'k8s', calicoVersion: 'v3.20.0', variant: 'x' }),
    },
  });
  await register(store);
  t.match(read(store.dump(), clusterKey).spec, {
    clusterGUID: /^[0-9a-f]{32}$/,
    clusterType: 'k8s',
    calicoVersion: 'v3.20.0',
    variant: 'x',
    datastoreReady: true,
  });
  const locked = cluster({ clusterGUID: 'a'.repeat(32), datastoreReady: false });
  store.put(clusterKey, locked);
  const result = await register(store);
  t.equal(result.datastoreReady, false);
  t.equal(result.warnings[0]?.reason, 'datastore-locked');
  t.equal(store.dump()[clusterKey], locked);
});

t.test('hosts that start together agree on one cluster', async (t) => {
  const store = createMemoryStore();
  const names = Array.from({ length: 10 }, (_, index) => `node${index}`);
  const results = await Promise.all(
    names.map((nodeName, index) =>
      register(store, {
        nodeName,
        hostUuid: UUID.replace(/1$/, String(index)),
        view: hostView([{ ...eth0, addresses: [`172.16.60.${index + 1}/24`] }]),
      }),
    ),
  );
  t.equal(new Set(results.map((result) => result.clusterGuid)).size, 1);
  t.equal(Object.keys(store.dump()).filter((key) => key.includes('/nodes/')).length, 10);
  t.equal(results.filter((result) => result.written.includes(poolKey)).length, 1);
});

t.test('a lost reply is read again, not repeated', async (t) => {
  const store = createFaultyStore(createMemoryStore());
  store.failAfterCommit(1);
  const result = await register(store);
  t.same(result.written, [], 'the commit whose reply was lost had happened');
  t.equal(store.calls.filter((call) => call.operation === 'commit').length, 1);
});

t.test('failures of the store and of settings leave nothing written', async (t) => {
  const store = createFaultyStore(createMemoryStore());
  store.failBefore('list');
  t.equal((await faultOf(register(store))).kind, 'unavailable');
  for (const settings of [
    { as: 'x' },
    { ip: 'x' },
    { ipv4Pool: { cidr: '10.0.0.0' } },
    { ipv4Pool: { ipip: 'sometimes' } },
    { ipv4Pool: { ipip: 'Always', vxlan: 'Always' } },
    { ipv4Pool: { blockSize: '33' } },
    { ipv4Pool: { natOutgoing: 'maybe' } },
  ]) {
    const fault = await faultOf(register(store, { settings }));
    t.equal(fault.kind, 'invalid', JSON.stringify(settings));
    t.match(fault.message, /(AS|IP|CALICO_IPV4POOL_\w+) (is|and)/, 'names its variable');
  }
  t.same((await store.list('/')).entries, []);
});

t.test('the default pool keeps clear of the host and of other Nodes', async (t) => {
  const cidrWith = async (
    routes: readonly string[],
    more: readonly ViewInterface[] = [],
  ): Promise<string> => {
    const store = createMemoryStore();
    const view = hostView([{ ...eth0, addresses: ['10.1.1.1/24'] }, ...more], routes);
    await register(store, { view });
    return read(store.dump(), poolKey).spec.cidr;
  };
  t.equal(await cidrWith([]), '192.168.0.0/16');
  t.equal(await cidrWith(['192.168.4.0/24']), '172.16.0.0/16');
  t.equal(
    await cidrWith(
      ['192.168.0.0/16', '172.16.0.0/24'],
      [{ name: 'docker0', addresses: ['172.17.0.1/16'] }],
    ),
    '172.18.0.0/16',
  );
  t.equal(
    await cidrWith(['192.168.0.0/16', '172.16.0.0/15']),
    '172.18.0.0/16',
    "Docker's own network is left out",
  );
  t.equal(await cidrWith(['0.0.0.0/0']), '192.168.0.0/16', 'a default route is no neighbour');
  t.equal(await cidrWith([], [{ name: 'wg0', addresses: ['192.168.7.1/32'] }]), '172.16.0.0/16');

  const store = createMemoryStore();
  await register(store, {
    nodeName: 'other',
    settings: { noDefaultPools: true },
    view: hostView([{ ...eth0, addresses: ['192.168.9.9/24'] }]),
  });
  await register(store, { view: hostView([{ ...eth0, addresses: ['10.1.1.1/24'] }]) });
  t.equal(read(store.dump(), poolKey).spec.cidr, '172.16.0.0/16', "another Node's address counts");

  const none = createMemoryStore();
  const full = await register(none, {
    view: hostView([eth0], ['192.168.0.0/16', '172.16.0.0/12']),
  });
  t.equal(full.warnings[0]?.reason, 'no-room-for-default-pool');
  t.notOk(poolKey in none.dump());
});

t.test('routes of ours do not keep the same pool from being made again', async (t) => {
  const view = hostView([eth0], ['192.168.44.0/26']);
  const ours = {
    ...view,
    routes: view.routes.map((route) => ({
      ...route,
      protocol: route.destination.prefix === 26 ? 80 : 2,
    })),
  };
  const store = createMemoryStore();
  await register(store, { view: ours });
  t.equal(read(store.dump(), poolKey).spec.cidr, '192.168.0.0/16');
});

t.test('pool settings, and when there is no default pool', async (t) => {
  const made = async (
    settings: Partial<NodeSettings>,
    entries: Record<string, string> = {},
  ): Promise<{ readonly ippool?: Stored['spec']; readonly warnings: readonly unknown[] }> => {
    const store = createMemoryStore({ entries });
    const result = await register(store, { settings });
    const pools = Object.entries(store.dump()).filter(([key]) => key.includes('/ippools/default-'));
    return {
      ...Object.fromEntries(pools.map(([key, text]) => [key.slice(-6), JSON.parse(text).spec])),
      warnings: result.warnings,
    };
  };
  t.match(
    (
      await made({
        ipv4Pool: {
          cidr: '10.20.30.40/16',
          ipip: 'CrossSubnet',
          blockSize: '24',
          nodeSelector: 'rack == "r1"',
          natOutgoing: 'false',
          disableBgpExport: 'true',
        },
      })
    ).ippool,
    {
      cidr: '10.20.0.0/16',
      ipipMode: 'CrossSubnet',
      blockSize: 24,
      nodeSelector: 'rack == "r1"',
      natOutgoing: undefined,
      disableBGPExport: true,
    },
  );
  t.match(await made({ ipv4Pool: { cidr: '172.16.0.0/16', vxlan: 'always' } }), {
    ippool: { vxlanMode: 'Always' },
    warnings: [
      {
        reason: 'pool-overlaps-host',
        message: /CALICO_IPV4POOL_CIDR=172.16.0.0\/16 overlaps 172.16.60.0\/24/,
      },
    ],
  });
  t.equal(
    (await made({ ipv4Pool: { cidr: '10.0.0.0/28' } })).ippool?.blockSize,
    28,
    'a block is never larger than its pool',
  );
  t.same(await made({ noDefaultPools: true }), { warnings: [] });
  t.same(await made({ ipv4Pool: { cidr: 'none' } }), { warnings: [] });
  const foreign = {
    [resourceKey('ippools', 'mine')]: JSON.stringify({
      kind: 'IPPool',
      metadata: { name: 'mine' },
      spec: { cidr: '10.0.0.0/16', disabled: true },
    }),
  };
  t.same(await made({}, foreign), { warnings: [] }, 'a pool of the family exists, if disabled');
  t.same(
    await made({}, { [resourceKey('ippools', 'broken')]: '{' }),
    { warnings: [] },
    'what cannot be read may overlap',
  );
});

t.test('an IPv6 pool only where the node has IPv6, or a CIDR says so', async (t) => {
  const v6Key = resourceKey('ippools', 'default-ipv6-ippool');
  const dual = hostView([{ ...eth0, addresses: ['172.16.60.215/24', '2001:db8::215/64'] }]);
  const first = createMemoryStore();
  await register(first, { view: dual });
  t.notOk(v6Key in first.dump());
  await register(first, { view: dual, settings: { ip6: 'autodetect' } });
  t.match(read(first.dump(), v6Key).spec, {
    cidr: /^fd[0-9a-f]{2}:[0-9a-f:]+::\/48$/,
    blockSize: 122,
    natOutgoing: undefined,
  });
  const second = createMemoryStore();
  await register(second, { settings: { ipv6Pool: { cidr: 'fd00:1::/64' } } });
  t.equal(read(second.dump(), v6Key).spec.cidr, 'fd00:1::/64');
});

t.test('an address that another Node has is not taken, and said', async (t) => {
  const store = createMemoryStore();
  await register(store, { nodeName: 'old-name' });
  const result = await register(store);
  t.equal(result.node.ipv4Address, undefined);
  t.match(result.warnings, [
    {
      reason: 'address-of-other-node',
      message: /172\.16\.60\.215 .* Node old-name.*calicoctl delete node old-name/,
    },
  ]);
  t.same((await register(store)).written, [], 'and not written again and again');
  const anyway = await register(store, { settings: { checkAddressConflicts: false } });
  t.equal(anyway.node.ipv4Address, '172.16.60.215/24');
});

t.test('a host without any address is registered all the same', async (t) => {
  const result = await register(createMemoryStore(), {
    view: hostView([{ name: 'lo', addresses: ['127.0.0.1/8'] }]),
  });
  t.equal(result.node.ipv4Address, undefined);
  t.equal(result.warnings[0]?.reason, 'no-address');
});

t.test('can-reach asks the kernel', async (t) => {
  const result = await register(createMemoryStore(), {
    settings: { ipAutodetectionMethod: 'can-reach=127.0.0.1' },
  });
  t.equal(
    result.warnings[0]?.reason,
    'no-address',
    'the source towards loopback is of no use to others',
  );
});

t.test('a newcomer has nothing to claim, unless somebody remembers its name', async (t) => {
  const epochAt = async (entries: Record<string, string>) => {
    const store = createMemoryStore({ entries });
    await register(store, { newcomerEpoch: '2.x' });
    const { epoch } = JSON.parse(store.dump()[hostRecordKey('node1')] ?? '') as { epoch?: string };
    return epoch;
  };
  t.equal(await epochAt({}), '2.x');
  const remembered = JSON.stringify({ uuid: '', version: '' });
  t.equal(await epochAt({ [hostRecordKey('node1')]: remembered }), undefined);
});

t.test('the host record: engine kept, another machine said', async (t) => {
  const store = createMemoryStore();
  t.equal(
    (await faultOf(recordEngine(store, 'node1', UUID, { id: 'E', version: '28.5' }))).kind,
    'refused',
  );
  await register(store);
  await recordEngine(store, 'node1', UUID, { id: 'E', version: '28.5' });
  const stored = { uuid: UUID, engine: { id: 'E', version: '28.5' }, version: '0.1.0' };
  t.same(read(store.dump(), hostRecordKey('node1')), stored);
  t.same((await register(store)).written, []);
  const other = UUID.replace(/1$/, '2');
  t.match((await register(store, { hostUuid: other })).warnings, [{ reason: 'host-replaced' }]);
  t.same(read(store.dump(), hostRecordKey('node1')), { uuid: other, version: '0.1.0' });
  t.equal((await faultOf(recordEngine(store, 'node1', UUID, stored.engine))).reason, 'other-host');
});
