import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { silentLog, systemClock } from '../src/base/index.js';
import { createEmbeddedStore } from '../src/datastore/embedded/index.js';
import { createSyncer, resourceKey, type Store } from '../src/datastore/index.js';
import { Allocator, Catalog, makePoolId } from '../src/ipam/index.js';
import { median } from './statistics.js';

export interface PairsResult {
  /** Claims and releases of an address, both durable, per second, by the number of them in flight. */
  readonly pairsPerSecond: Readonly<Record<number, number>>;
}

const NODE = 'bench';
const POOL = 'bench';

async function prepare(store: Store): Promise<void> {
  const common = { apiVersion: 'projectcalico.org/v3' };
  const metadata = {
    name: POOL,
    uid: '8d5d9cbb-9f80-4a3e-94b5-6f43a5b5c001',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  const spec = {
    cidr: '10.60.0.0/16',
    ipipMode: 'Never',
    vxlanMode: 'Never',
    blockSize: 26,
    nodeSelector: 'all()',
  };
  const writes = [
    {
      key: resourceKey('ippools', POOL),
      value: JSON.stringify({ kind: 'IPPool', ...common, metadata, spec }),
    },
    {
      key: resourceKey('nodes', NODE),
      value: JSON.stringify({
        kind: 'Node',
        ...common,
        metadata: { ...metadata, name: NODE },
        spec: {},
      }),
    },
  ];
  await store.commit({ compares: [], writes });
}

async function pairs(allocator: Allocator, count: number, inFlight: number): Promise<number> {
  const poolId = makePoolId({ poolName: POOL, family: 4 }, '0123456789ab');
  const { signal } = new AbortController();
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const mac = `02:42:${(left >>> 8)
        .toString(16)
        .padStart(4, '0')
        .replace(/(..)(..)/, '$1:$2')}:00:${(left & 255).toString(16).padStart(2, '0')}`;
      const address = await allocator.request({
        poolId,
        family: 4,
        address: undefined,
        mac,
        holder: 'endpoint',
        signal,
      });
      await allocator.release(address, poolId.text, { signal });
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (count * 1000) / (performance.now() - begin);
}

/** The allocator over the embedded store, in this process: what one host can do at most. */
export async function measureEmbeddedPairs(rounds: number, count: number): Promise<PairsResult> {
  const directory = mkdtempSync('/tmp/calico-pairs-');
  const store = createEmbeddedStore({ directory, log: silentLog });
  try {
    await prepare(store);
    const catalog = new Catalog(NODE, silentLog);
    const syncer = createSyncer({
      store,
      prefixes: catalog.prefixes,
      listener: catalog,
      log: silentLog,
    });
    await syncer.ready();
    const allocator = new Allocator({
      store,
      host: { node: NODE, uuid: '00000000-0000-4000-8000-000000000001' },
      catalog,
      gate: { mayAllocate: () => ({ ok: true }) },
      endpoints: { holding: () => undefined, isBound: () => false },
      clock: systemClock,
      log: silentLog,
      onUnknownClaim: () => undefined,
      rememberRelease: () => undefined,
    });
    await allocator.load({});
    const pairsPerSecond: Record<number, number> = {};
    for (const inFlight of [1, 8, 64]) {
      await pairs(allocator, count / 10, inFlight);
      const results: number[] = [];
      for (let round = 0; round < rounds; round += 1)
        results.push(await pairs(allocator, inFlight === 1 ? count / 10 : count, inFlight));
      pairsPerSecond[inFlight] = median(results);
    }
    syncer.stop();
    return { pairsPerSecond };
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
}
