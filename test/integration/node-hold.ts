import t, { type Test } from 'tap';
import { silentLog, systemClock } from '../../src/base/index.js';
import { nodeHoldKey, type Store } from '../../src/datastore/index.js';
import { createEtcdStore } from '../../src/datastore/etcd/index.js';
import {
  holdNodeName,
  registerNode,
  type NodeHold,
  type NodeHoldOptions,
} from '../../src/node/index.js';
import { startEtcd } from '../fixtures/etcd-server.js';
import { hostView } from '../fixtures/host-view.js';
import { startTcpProxy } from '../fixtures/tcp-proxy.js';
import { until } from '../fixtures/until.js';

const server = await startEtcd();
t.teardown(() => server.close());
const target = { port: Number(new URL(server.endpoints[0] ?? '').port) };
t.beforeEach(() => server.etcdctl('del', '', '--from-key=true'));

const A = 'aaaaaaaa-0000-4000-8000-000000000001';
const B = 'bbbbbbbb-0000-4000-8000-000000000002';
const soon = (): AbortSignal => AbortSignal.timeout(20_000);

function open(t: Test, endpoints: readonly string[] = server.endpoints): Store {
  const store = createEtcdStore({ endpoints, log: silentLog });
  t.teardown(() => store.close());
  return store;
}

function start(
  t: Test,
  store: Store,
  hostUuid: string,
  more: Partial<NodeHoldOptions> = {},
): NodeHold {
  const hold = holdNodeName({
    store,
    nodeName: 'node1',
    hostUuid,
    bootId: 'boot',
    hostName: `host-${hostUuid.slice(0, 1)}`,
    log: silentLog,
    clock: systemClock,
    ttlSeconds: 2,
    pauseMs: { first: 20, last: 200 },
    ...more,
  });
  t.teardown(() => hold.stop());
  return hold;
}

const reason = (hold: NodeHold): string => {
  const decision = hold.mayAllocate();
  return decision.ok ? 'ok' : decision.reason;
};

t.test('the hold outlives its lease while kept, and goes with its holder', async (t) => {
  const proxy = await startTcpProxy(target);
  t.teardown(() => proxy.close());
  const firstStore = open(t, [`http://127.0.0.1:${proxy.port}`]);
  const first = start(t, firstStore, A);
  t.ok((await first.decided(soon())).ok);
  const second = start(t, open(t), B);
  t.match(await second.decided(soon()), { reason: 'hold-contested', message: /host-a .*host-b/ });
  const begun = performance.now();
  await until(() => performance.now() - begun > 3_000, 'more than the life of the lease');
  t.equal(reason(first), 'ok');
  t.equal(reason(second), 'hold-contested');
  proxy.blackHole();
  await until(() => reason(second) === 'ok', 'the lease of the cut-off host to run out', 15_000);
  await until(() => reason(first) !== 'ok', 'the cut-off host to know', 15_000);
  proxy.resume();
  await until(() => reason(first) === 'hold-contested', 'the healed host to see the other', 15_000);
});

t.test(
  'a new process of the same machine and boot takes over at once; an emptied etcd is noticed',
  async (t) => {
    const earlier = start(t, open(t), A);
    await earlier.decided(soon());
    const store = open(t);
    const later = start(t, store, A);
    t.ok((await later.decided(AbortSignal.timeout(1_500))).ok, 'without waiting for the lease');
    await until(() => reason(earlier) === 'hold-contested', 'the earlier process to see it');
    await earlier.stop();
    t.equal(reason(later), 'ok', 'the end of the earlier process takes nothing away');
    t.match((await store.get(nodeHoldKey('node1')))?.value, /"uuid":"aaaaaaaa/);
    await server.etcdctl('del', '', '--from-key=true');
    await until(async () => (await store.get(nodeHoldKey('node1'))) !== undefined, 'the new claim');
    await until(() => reason(later) === 'ok', 'the name to be held again');
  },
);

t.test('hosts that register at once through etcd agree', async (t) => {
  const stores = Array.from({ length: 4 }, () => open(t));
  const results = await Promise.all(
    stores.map((store, index) =>
      registerNode({
        store,
        nodeName: `node${index}`,
        hostUuid: A,
        settings: { noDefaultPools: false, ipv4Pool: {}, ipv6Pool: {} },
        view: hostView([
          { name: 'eth0', addresses: [`172.16.60.${index + 1}/24`], defaultRoute: 0 },
        ]),
        version: '0.1.0',
        clock: systemClock,
        log: silentLog,
      }),
    ),
  );
  t.equal(new Set(results.map(({ clusterGuid }) => clusterGuid)).size, 1);
  t.equal(
    results.filter(({ written }) => written.some((key) => key.includes('/ippools/'))).length,
    1,
  );
  const pools = await server.etcdctl(
    'get',
    '--prefix',
    '--keys-only',
    '/calico/resources/v3/projectcalico.org/ippools/',
  );
  t.match(String(pools).trim(), /default-ipv4-ippool$/);
});
