import t from 'tap';
import { silentLog, systemClock } from '../../src/base/index.js';
import { createSyncer, type Store } from '../../src/datastore/index.js';
import { Allocator, Catalog, parsePoolId } from '../../src/ipam/index.js';
import type { Address } from '../../src/model/index.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { randomFrom } from '../fixtures/random-from.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';

interface SimulatedHost {
  readonly allocator: Allocator;
  readonly stop: () => void;
}

async function startHost(store: Store, node: string): Promise<SimulatedHost> {
  const catalog = new Catalog(node, silentLog);
  const syncer = createSyncer({
    store,
    prefixes: catalog.prefixes,
    listener: catalog,
    log: silentLog,
  });
  await syncer.ready();
  const allocator = new Allocator({
    store,
    host: { node, uuid: `uuid-${node}` },
    catalog,
    gate: { mayAllocate: () => ({ ok: true }) },
    endpoints: { holding: () => undefined, isBound: () => false },
    clock: systemClock,
    log: silentLog,
    onUnknownClaim: () => undefined,
    rememberRelease: () => undefined,
  });
  await allocator.load({});
  return { allocator, stop: () => syncer.stop() };
}

for (const seed of [1, 7, 42]) {
  t.test(
    `eight hosts on one small pool, with conflicts and lost replies (seed ${seed})`,
    async (t) => {
      const nodes = Array.from({ length: 8 }, (_, index) => `node${index}`);
      const memory = createMemoryStore({
        entries: clusterOf(nodes, { small: { cidr: '10.9.0.0/26', blockSize: 29 } }),
      });
      const random = randomFrom(seed);
      const faulty = nodes.map(() => createFaultyStore(memory));
      const hosts = await Promise.all(
        nodes.map((node, index) => startHost(faulty[index] as Store, node)),
      );
      t.teardown(() => hosts.forEach(({ stop }) => stop()));
      const held = new Map<string, string>();
      const signal = AbortSignal.timeout(60_000);
      await Promise.all(
        hosts.map(async ({ allocator }, index) => {
          const mine: Address[] = [];
          for (let round = 0; round < 40; round += 1) {
            if (random() < 0.15) faulty[index]?.failAfterCommit();
            if (random() < 0.15) faulty[index]?.failCompare();
            const release = mine.length > 0 && random() < 0.45;
            if (release) {
              const [address] = mine.splice(Math.floor(random() * mine.length), 1);
              held.delete(String(address));
              await allocator.release(address as Address, 'small.v4.000000000000', { signal });
              continue;
            }
            try {
              const poolId = parsePoolId('small.v4.000000000000');
              const address = await allocator.request({
                poolId,
                family: 4,
                address: undefined,
                mac: '',
                holder: 'endpoint',
                signal,
              });
              if (held.has(String(address))) t.fail(`${address} went to two holders`);
              held.set(String(address), nodes[index] ?? '');
              mine.push(address);
            } catch (error) {
              t.match(error, { kind: 'exhausted' }, 'only a full pool refuses');
            }
          }
        }),
      );
      t.equal(
        takenAddresses(memory.dump()).size,
        held.size,
        'the store holds what was granted, nothing more',
      );
    },
  );
}

t.test(
  'the block of a dead host is borrowed from only when no block is free, and not under strict affinity',
  async (t) => {
    const memory = createMemoryStore({
      entries: clusterOf(['a', 'b'], { tiny: { cidr: '10.9.0.0/29', blockSize: 30 } }),
    });
    const a = await startHost(memory, 'a');
    const b = await startHost(memory, 'b');
    t.teardown(() => [a, b].forEach(({ stop }) => stop()));
    const signal = AbortSignal.timeout(10_000);
    const request = (host: SimulatedHost) =>
      host.allocator.request({
        poolId: parsePoolId('tiny.v4.000000000000'),
        family: 4,
        address: undefined,
        mac: '',
        holder: 'endpoint',
        signal,
      });
    await request(a);
    await request(b);
    for (let index = 0; index < 6; index += 1) await request(b);
    t.equal(
      takenAddresses(memory.dump()).size,
      8,
      'the whole pool is in use, three of a’s addresses by b',
    );
    await t.rejects(request(b), {
      kind: 'exhausted',
      message: /no free address in pool tiny \(10\.9\.0\.0\/29\)/,
    });
    memory.put('/calico/ipam/v2/config', '{"strict_affinity":true,"auto_allocate_blocks":true}');
    await t.rejects(request(a), { kind: 'exhausted', message: /strict affinity on/ });
  },
);
