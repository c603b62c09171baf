import t from 'tap';
import { ClusterView, type ClusterListener } from '../../src/agent/cluster-view.js';
import { silentLog } from '../../src/base/index.js';
import { resourceKey, type Entry } from '../../src/datastore/index.js';
import { encodeProfile, networkProfile } from '../../src/model/v3/index.js';
import { nodeText, poolText } from '../fixtures/stored-objects.js';

function createView(): { view: ClusterView; told: string[] } {
  const told: string[] = [];
  const listener: ClusterListener = {
    onProfile: (name, profile) =>
      told.push(`profile ${name} ${profile === undefined ? 'gone' : 'set'}`),
    onPolicy: (id, policy) => told.push(`policy ${id} ${policy === undefined ? 'gone' : 'set'}`),
    onHostEndpoint: (name) => told.push(`host endpoint ${name}`),
    onTier: (name, tier) => told.push(`tier ${name} ${tier === undefined ? 'gone' : 'set'}`),
    onNetworkSet: (key, set) => told.push(`set ${key} ${set === undefined ? 'gone' : 'set'}`),
    onEndpoint: (key, endpoint) =>
      told.push(`endpoint ${key.split('/').at(-1)} ${endpoint?.node ?? 'gone'}`),
    onPools: (pools) => told.push(`pools ${[...pools.values()].map(({ cidr }) => cidr).join(' ')}`),
    onNodes: (nodes) => told.push(`nodes ${[...nodes.values()].map(({ name }) => name).join(' ')}`),
    onNode: (name, node) => void told.push(`node ${name} ${node === undefined ? 'gone' : 'set'}`),
    onAffinity: (node, block, confirmed) => void told.push(`block ${block} ${node} ${confirmed}`),
    onFelix: (name, felix) => void told.push(`felix ${name} ${felix?.vxlanPort ?? 'gone'}`),
    onInSync: () => told.push('in sync'),
  };
  return { view: new ClusterView(listener, silentLog), told };
}

const net1 = encodeProfile(networkProfile('net1'), { uid: 'u', createdAt: new Date(0) });
const keys = {
  net1: resourceKey('profiles', 'net1'),
  pool: resourceKey('ippools', 'p'),
  node: resourceKey('nodes', 'node1'),
};
const entries = (values: Record<string, string>): Map<string, Entry> =>
  new Map(Object.entries(values).map(([key, value]) => [key, { key, value, revision: 1n }]));

t.test('a first snapshot, also an empty one, tells pools and nodes', async (t) => {
  const { view, told } = createView();
  t.equal(view.inSync, false);
  view.onSnapshot(new Map());
  t.same(told, ['pools ', 'nodes ', 'in sync']);
  t.equal(view.inSync, true);
});

t.test('after a lost watch only what differs is told', async (t) => {
  const { view, told } = createView();
  const first = {
    [keys.net1]: net1,
    [keys.pool]: poolText('p', '10.0.0.0/16'),
    [keys.node]: nodeText('node1'),
  };
  view.onSnapshot(entries(first));
  told.length = 0;
  view.onSnapshot(entries(first));
  t.same(told, ['in sync']);
  const { [keys.net1]: _, ...second } = first;
  view.onSnapshot(entries({ ...second, [keys.pool]: poolText('p', '10.1.0.0/16') }));
  t.same(told, ['in sync', 'profile net1 gone', 'pools 10.1.0.0/16', 'in sync']);
});

t.test('what cannot be read counts as absent and is named', async (t) => {
  const { view, told } = createView();
  view.onSnapshot(
    entries({ [keys.net1]: '{"kind": "Profile"', [keys.pool]: poolText('p', '10.0.0.0/33') }),
  );
  t.match(told, ['profile net1 gone', 'pools ']);
  t.match(Object.keys(view.unreadable), [keys.net1, keys.pool]);
  view.onChange(keys.net1, { key: keys.net1, value: net1, revision: 2n });
  t.equal(told.at(-1), 'profile net1 set');
  view.onChange(keys.pool, undefined);
  t.same(view.unreadable, {});
});

t.test('claims on blocks and settings of the agent are told one by one', async (t) => {
  const { view, told } = createView();
  view.onSnapshot(new Map());
  told.length = 0;
  const put = (key: string, value: string): void =>
    view.onChange(key, { key, value, revision: 2n });
  const block = '/calico/ipam/v2/host/node2/ipv4/block/10.1.0.64-26';
  put(block, '{"state":"pending","deleted":false}');
  put(block, '{"state":"confirmed","deleted":false}');
  put('/calico/ipam/v2/host/node2/ipv6/block/fd00::40-122', '');
  put(block, '{"state":"pendingDeletion","deleted":false}');
  view.onChange(block, undefined);
  put('/calico/ipam/v2/host/node2', '{}');
  put(block, 'nonsense');
  t.same(told, [
    'block 10.1.0.64/26 node2 false',
    'block 10.1.0.64/26 node2 true',
    'block fd00::40/122 node2 true',
    'block 10.1.0.64/26 node2 false',
    'block 10.1.0.64/26 node2 false',
    'block 10.1.0.64/26 node2 false',
  ]);
  t.match(Object.keys(view.unreadable), [block]);
  told.length = 0;
  const felix = resourceKey('felixconfigurations', 'node.node1');
  put(
    felix,
    '{"kind":"FelixConfiguration","metadata":{"name":"node.node1"},"spec":{"vxlanPort":1}}',
  );
  view.onChange(felix, undefined);
  t.same(told, ['felix node.node1 1', 'felix node.node1 gone']);
});
