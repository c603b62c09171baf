import t, { type Test } from 'tap';
import { affinityKey, resourceKey } from '../../src/datastore/index.js';
import { Cidr } from '../../src/model/index.js';
import {
  attach,
  clusterStore,
  packetsOf,
  startAgent,
  type Container,
} from '../fixtures/agent-host.js';
import { ipipObstacle } from '../fixtures/ipip-obstacle.js';
import type { MemoryStore } from '../fixtures/memory-store.js';
import { createNetworkNamespace, type NetworkNamespace } from '../fixtures/network-namespace.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

/** Long enough for a machine that is emulated. */
const SLOW_MS = 60_000;
const skip = ipipObstacle() ?? false;

function putHost(store: MemoryStore, at: number): void {
  const name = `node${at}`;
  const base = `10.2.0.${(at - 1) * 64}`;
  const spec = { bgp: { ipv4Address: `192.0.2.${at}/24`, ipv4IPIPTunnelAddr: base } };
  const text = { kind: 'Node', apiVersion: 'projectcalico.org/v3', metadata: { name }, spec };
  store.put(resourceKey('nodes', name), JSON.stringify(text));
  const block = affinityKey(name, Cidr.parse(`${base}/26`));
  store.put(block, '{"state":"confirmed","deleted":false}');
}

/** A host whose tunnel was made by hand. */
async function handMadeHost(t: Test): Promise<NetworkNamespace> {
  const other = await createNetworkNamespace(t, 'node2');
  run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  run('ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'eth0');
  run('ip', 'link', 'set', 'eth0', 'up');
  other.take('eth1', { as: 'eth0', addresses: ['192.0.2.2/24', '192.0.2.77/24'] });
  const tunnel = other.run('ip', 'link').includes('tunl0');
  if (!tunnel) other.run('ip', 'link', 'add', 'tunl0', 'type', 'ipip');
  other.run('ip', 'addr', 'add', '10.2.0.64/32', 'dev', 'tunl0');
  other.run('ip', 'link', 'set', 'tunl0', 'up');
  other.run('ip', 'route', 'add', '10.2.0.0/26', 'via', '192.0.2.1', 'dev', 'tunl0', 'onlink');
  return other;
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('IPIP to another host', { skip }, async (t) => {
    const other = await handMadeHost(t);
    const store = clusterStore({ '10.2.0.0/24': { ipipMode: 'Always' } }, ['net1']);
    for (const at of [1, 2]) putHost(store, at);
    const host = await startAgent(t, store);
    const container = { id: 'a', network: 'net1', addresses: ['10.2.0.1'] };
    const a = await attach(t, host, store, container);
    const ready = (): boolean =>
      host.agent.status().state === 'in-sync' && a.namespace.ping('10.2.0.64');
    await until(ready, 'the other host', SLOW_MS);
    await t.test('what is in the kernel', async (t) => inKernel(t));
    await t.test('packets', (t) => packets(t, a));
    await t.test('a stranger', async (t) => {
      const comment = 'IP in IP from an unknown host';
      const before = await packetsOf(host.nft, comment);
      other.run('ip', 'route', 'del', '10.2.0.0/26');
      other.run(
        'ip',
        'link',
        'add',
        'forged',
        'type',
        'ipip',
        'local',
        '192.0.2.77',
        'remote',
        '192.0.2.1',
      );
      other.run('ip', 'link', 'set', 'forged', 'up');
      other.run('ip', 'route', 'add', '10.2.0.0/26', 'dev', 'forged', 'src', '10.2.0.64');
      t.notOk(other.ping('10.2.0.1'));
      t.ok((await packetsOf(host.nft, comment)) > before, 'dropped by its rule');
    });
    t.equal(host.agent.workloadMtu(), 1480);
    t.same(
      host.agent.status().decisions.filter(({ subject }) => subject === 'tunl0'),
      [],
    );
  });
});

function inKernel(t: Test): void {
  const routes = run('ip', 'route');
  t.match(routes, /^10\.2\.0\.64\/26 via 192\.0\.2\.2 dev tunl0 proto 80 onlink ?$/m);
  t.match(routes, /^blackhole 10\.2\.0\.0\/26 proto 80 ?$/m);
  t.match(run('ip', '-br', 'addr', 'show', 'tunl0'), /10\.2\.0\.0\/32/);
  t.match(run('ip', 'link', 'show', 'tunl0'), /UP.* mtu 1480 /);
}

async function packets(t: Test, { namespace }: Container): Promise<void> {
  t.match(
    namespace.run('ping', '-n', '-c', '1', '-W', '5', '10.2.0.64'),
    'ttl=63',
    'one host between',
  );
  const big = ['-n', '-c', '1', '-W', '5', '-M', 'do', '-s', String(1480 - 28), '10.2.0.64'];
  t.match(namespace.run('ping', ...big), '1 received', 'a full packet');
  run('ip', 'link', 'set', 'tunl0', 'down');
  await until(() => namespace.ping('10.2.0.64'), 'the tunnel to come up again', SLOW_MS);
}
