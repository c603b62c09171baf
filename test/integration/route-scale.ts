import t from 'tap';
import { affinityKey, resourceKey } from '../../src/datastore/index.js';
import { Cidr } from '../../src/model/index.js';
import { clusterStore, startAgent, type RunningAgent } from '../fixtures/agent-host.js';
import type { MemoryStore } from '../fixtures/memory-store.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

const HOSTS = 2000;
const BLOCKS = 5000;
const CONFIRMED = '{"state":"confirmed","deleted":false}';

function putNode(store: MemoryStore, at: number, host = `172.16.${at >> 8}.${at & 255}`): void {
  const name = `node${at}`;
  const spec = {
    bgp: { ipv4Address: `${host}/16` },
    ipv4VXLANTunnelAddr: `10.${at >> 8}.${at & 255}.0`,
  };
  const text = { kind: 'Node', apiVersion: 'projectcalico.org/v3', metadata: { name }, spec };
  store.put(resourceKey('nodes', name), JSON.stringify(text));
}

function fill(store: MemoryStore): void {
  for (let at = 1; at <= HOSTS; at += 1) putNode(store, at);
  for (let block = 0; block < BLOCKS; block += 1) {
    const at = (block % HOSTS) + 1;
    const base = `10.${at >> 8}.${at & 255}.${64 * Math.floor(block / HOSTS)}/26`;
    store.put(affinityKey(`node${at}`, Cidr.parse(base)), CONFIRMED);
  }
}

/** Kernel writes, the rules left aside, while something changes. */
async function writesOf(
  { writes }: RunningAgent,
  change: () => Promise<unknown>,
): Promise<readonly string[]> {
  const before = writes.length;
  await change();
  return writes.slice(before).filter((write) => !write.startsWith('apply'));
}

await inPrivateNamespace(
  import.meta.url,
  () => {
    t.test(`${HOSTS} hosts with ${BLOCKS} blocks`, async (t) => {
      run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
      run('ip', 'addr', 'add', '172.16.0.1/16', 'dev', 'eth0');
      for (const end of ['eth0', 'eth1']) run('ip', 'link', 'set', end, 'up');
      const store = clusterStore({ '10.0.0.0/8': { vxlanMode: 'Always' } }, ['net1']);
      fill(store);
      const begun = performance.now();
      const first = await startAgent(t, store);
      t.comment(`everything in the kernel after ${Math.round(performance.now() - begun)} ms`);
      t.comment(`memory ${Math.round(process.memoryUsage().rss / 1_048_576)} MiB, tests included`);
      t.match(first.agent.status().remote, { routes: BLOCKS, written: BLOCKS });
      t.match(first.agent.status().tunnels, [{ device: 'vxlan.calico', hosts: HOSTS - 1 }]);
      t.same(first.agent.status().decisions, []);

      const block = affinityKey('node7', Cidr.parse('10.200.0.0/26'));
      const routes = (count: number): Promise<void> =>
        until(() => first.agent.status().remote.routes === count, `${count} routes`);
      const changed = performance.now();
      const added = await writesOf(first, async () => {
        store.put(block, CONFIRMED);
        await routes(BLOCKS + 1);
      });
      t.comment(`one block after ${(performance.now() - changed).toFixed(1)} ms`);
      t.match(added, [/^addRoute /], 'a block is one write');
      const gone = await writesOf(first, async () => {
        store.put(block, '{"state":"pendingDeletion","deleted":false}');
        await routes(BLOCKS);
      });
      t.match(gone, [/^deleteRoute /]);

      const moved = await writesOf(first, async () => {
        putNode(store, 9, '172.16.200.9');
        const known = (): boolean => run('bridge', 'fdb').includes('172.16.200.9 ');
        await until(known, 'the way to the new address');
        await until(() => first.agent.status().state === 'in-sync', 'the rest');
      });
      t.equal(moved.length, 4, 'a host is its entry and its neighbour, removed and set');

      await first.stop();
      const again = await startAgent(t, store);
      t.same(
        again.writes.filter((write) => !write.startsWith('apply')),
        [],
        'a restart writes nothing',
      );
      await again.stop();
    });
  },
  { timeoutMs: 120_000 },
);
