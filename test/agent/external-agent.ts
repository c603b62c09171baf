import t from 'tap';
import { createAgent, type Agent } from '../../src/agent/index.js';
import { silentLog } from '../../src/base/index.js';
import { createSyncer, resourceKey } from '../../src/datastore/index.js';
import { Address, Cidr } from '../../src/model/index.js';
import { createMemoryNetlink, type MemoryNetlink } from '../../src/netlink/index.js';
import { localEndpoint } from '../fixtures/agent-facts.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';
import { NftRecorder } from '../fixtures/nft-recorder.js';
import { poolText } from '../fixtures/stored-objects.js';
import { until } from '../fixtures/until.js';

async function scene(): Promise<{
  readonly agent: Agent;
  readonly netlink: MemoryNetlink;
  readonly store: MemoryStore;
  readonly index: number;
}> {
  const netlink = createMemoryNetlink();
  const eth0 = netlink.addLink({ name: 'eth0', up: true }).index;
  await netlink.addAddress(eth0, Address.parse('192.0.2.1'), 24);
  const index = netlink.addLink({ name: 'cali1', kind: 'veth', up: true }).index;
  const store = createMemoryStore();
  const spec = { bgp: { ipv4Address: '192.0.2.1/24' } };
  const node = { kind: 'Node', metadata: { name: 'node1' }, spec };
  store.put(resourceKey('nodes', 'node1'), JSON.stringify(node));
  const agent = createAgent({
    ...{ settings: { nodeName: 'node1', dataplane: 'external' }, netlink, log: silentLog },
    ...{ nft: new NftRecorder(), createSyncer: (part) => createSyncer({ store, ...part }) },
  });
  await agent.start(AbortSignal.timeout(20_000));
  await agent.synced(AbortSignal.timeout(5_000));
  return { agent, netlink, store, index };
}
const WRITES = /^(?:create|set|add[A-Z]|remove|delete|replace)/;

t.test('Join waits for the other agent’s routes, and nothing is written', async (t) => {
  const { agent, netlink, index } = await scene();
  t.teardown(() => agent.stop());
  const before = netlink.calls.length;
  const endpoint = localEndpoint('a', 'cali1', index, ['10.1.0.1']);
  let settled = false;
  const joined = agent.program(endpoint).then(() => (settled = true));
  t.equal(agent.addressInUse(Address.parse('10.1.0.1')), true);
  await until(() => netlink.calls.slice(before).includes('routes'), 'the look');
  t.equal(settled, false);
  const written = netlink.calls.slice(before).filter((call) => WRITES.test(call));
  await netlink.replaceRoute({
    ...{ destination: Cidr.parse('10.1.0.1/32'), type: 'unicast', protocol: 3, scope: 'link' },
    interfaceIndex: index,
  });
  await joined;
  t.same(written, []);
  t.same(agent.status().decisions, []);
  t.match(agent.status(), { dataplane: 'external', state: 'in-sync' });
  await agent.withdraw('a');
  t.equal(agent.addressInUse(Address.parse('10.1.0.1')), false);
});

t.test('a Felix that is late is told, and the container starts', async (t) => {
  const { agent, index } = await scene();
  t.teardown(() => agent.stop());
  // Its deadline alone does not keep the process.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  await agent.program(localEndpoint('b', 'cali1', index, ['10.1.0.2']));
  t.match(agent.status().decisions, [{ reason: 'felix-late', subject: 'b' }]);
});

t.test('the MTU follows the pools all the same', async (t) => {
  const { agent, store } = await scene();
  t.teardown(() => agent.stop());
  await until(() => agent.workloadMtu() === 1500, 'the MTU of the host');
  const vxlan = { vxlanMode: 'Always' };
  store.put(resourceKey('ippools', 'p'), poolText('p', '10.1.0.0/24', vxlan));
  await until(() => agent.workloadMtu() === 1450, 'the MTU with VXLAN');
});
