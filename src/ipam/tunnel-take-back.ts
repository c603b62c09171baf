import { Cidr, holderOf, poolOf, type Address, type IpPool } from '../model/index.js';
import { blockAttribute } from '../model/v3/index.js';
import type { TunnelAddressParts } from './tunnel-addresses.js';
import type { TunnelOwner } from './tunnel-decision.js';

/**
 * Claims the address that this node's tunnel device has, when a datastore has lost it: in another one other hosts would
 * not know the node for a while, and its address might go to a container. False when somebody has it, or no pool does.
 */
export async function takeBackTunnel(
  { blocks, handles, queue }: TunnelAddressParts,
  owner: TunnelOwner,
  { address, pools }: { readonly address: Address; readonly pools: readonly IpPool[] },
  options: { readonly signal: AbortSignal },
): Promise<boolean> {
  const pool = poolOf(pools, address);
  if (pool === undefined) return false;
  const record = await blocks.fetch(Cidr.of(address, pool.blockSize), options);
  if (holderOf(record.block, address) !== undefined) return false;
  const { handle, secondary } = owner;
  await handles.load(handle, options);
  blocks.put(record);
  const claimed = await queue.submit(
    record.cidr,
    {
      type: 'claim',
      handle,
      apply: (edit) => {
        if (edit.holderOf(address) !== undefined) return undefined;
        edit.claim(address, blockAttribute(handle, secondary));
        return address;
      },
      happened: (stored) => (holderOf(stored, address)?.handle === handle ? address : undefined),
    },
    options.signal,
  );
  return claimed !== undefined;
}
