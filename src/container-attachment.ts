import { Fault, systemClock } from './base/index.js';
import type { Containers } from './admin/index.js';
import type { DaemonConfig } from './config/index.js';
import type { DaemonCore } from './daemon-core.js';
import { attachContainer, detachContainer, type AttachParts } from './docker/index.js';
import { blockKey } from './datastore/index.js';
import { describeHolder, describePools } from './ipam/index.js';
import { Address, Cidr, holderOf, poolOf, type IpPool } from './model/index.js';
import { decodeBlock } from './model/v3/index.js';
import type { PluginCore } from './plugin-core.js';

/** What `calicoctl container` asks of this host: Docker does it, and asks us as for any container. */
export function containerAttachment(
  { driverName, ipamDriverName }: DaemonConfig,
  core: () => Promise<DaemonCore>,
): Containers {
  const parts = ({ inventory, plugin, store }: DaemonCore): AttachParts => ({
    ...{ engine: inventory.engine(), driverName, ipamDriverName },
    poolOf: (address) => openPoolOf(plugin, address),
    refuseTaken: async (address) => {
      const key = blockKey(Cidr.of(address, openPoolOf(plugin, address).blockSize));
      const entry = await store.get(key);
      const holder = entry && holderOf(decodeBlock(entry.value, systemClock.now()), address);
      if (holder === undefined || holder.releasedAt !== undefined) return;
      const message = `${address} is taken: ${describeHolder(holder)}`;
      throw new Fault('exists', message, { reason: 'address-taken' });
    },
  });
  return {
    add: async ({ container, address, network }) =>
      attachContainer(parts(await core()), {
        ...{ container, address: Address.parse(address), network },
      }),
    remove: async ({ container }) => detachContainer(parts(await core()), container),
  };
}

function openPoolOf({ catalog: { pools } }: PluginCore, address: Address): IpPool {
  const open = pools.map(({ value }) => value).filter(({ closed }) => !closed);
  const pool = poolOf(open, address);
  if (pool !== undefined) return pool;
  throw new Fault(
    'not-found',
    `no open IP pool has ${address}; ${describePools(pools)}; add one with "calicoctl create -f POOL.yaml"`,
    { reason: 'no-such-pool' },
  );
}
