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
