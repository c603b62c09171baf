import { Fault } from './base/index.js';
import { resourceKey } from './datastore/index.js';
import { Address, Cidr, workloadEndpointName } from './model/index.js';
import type { PluginCore } from './plugin-core.js';
import type { PendingWork } from './reconcile/index.js';

/** Does a deletion that could not reach the store when Docker asked for it. Idempotent. */
export async function performPending(
  work: PendingWork,
  plugin: PluginCore,
  where: { readonly node: string; readonly namespace: string },
  signal: AbortSignal,
): Promise<void> {
  const { allocator } = plugin.ipam;
  const { networks, endpoints } = plugin.driver;
  switch (work.kind) {
    case 'release-address':
      await releaseAddress(work, plugin, signal);
      return;
    case 'release-pool':
      await allocator.releasePool(required(work, 'poolId'), { signal });
      return;
    case 'delete-network':
      await networks.delete(required(work, 'networkId'), { signal });
      return;
    case 'delete-endpoint': {
      const id = required(work, 'endpointId');
      if (plugin.book.get(id) !== undefined) await endpoints.delete(id, signal);
      else
        await endpoints.deleteStored(
          resourceKey('workloadendpoints', workloadEndpointName(where.node, id), where.namespace),
          undefined,
        );
    }
  }
}

async function releaseAddress(
  work: PendingWork,
  plugin: PluginCore,
  signal: AbortSignal,
): Promise<void> {
  const { allocator } = plugin.ipam;
  const { address, poolId, handle, block } = work.payload;
  if (block !== undefined && handle !== undefined) {
    await allocator.releaseHandle(handle, Cidr.parse(block), { signal });
    return;
  }
  await allocator.release(Address.parse(address ?? ''), poolId, {
    signal,
    // Without a handle only a holder from before this was written down may be meant.
    ...(handle === undefined ? { heldSinceBefore: work.recordedAt } : { onlyHandle: handle }),
  });
}

function required(work: PendingWork, name: string): string {
  const value = work.payload[name];
  if (value === undefined) throw new Fault('corrupt', `pending work ${work.id} lacks ${name}`);
  return value;
}
