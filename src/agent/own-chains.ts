import type { Nft } from '../nft/index.js';
import type { TableFamily } from './table-text.js';

/**
 * The chains that the kernel's table of this name has, none where there is no such table. Faults:
 * those of nft. Its list of tables is not asked: where a table of any program has a flag, nft 1.0.6
 * reads freed memory to write that as JSON.
 */
export async function ownChains(
  nft: Nft,
  family: TableFamily,
  table: string,
): Promise<ReadonlySet<string>> {
  const listed = (await nft.listJson(`list chains ${family}`)) as {
    readonly nftables?: readonly { readonly chain?: { table?: string; name?: string } }[];
  };
  const chains = (listed.nftables ?? []).flatMap(({ chain }) => (chain ? [chain] : []));
  return new Set(chains.flatMap((one) => (one.table === table ? [one.name ?? ''] : [])));
}
