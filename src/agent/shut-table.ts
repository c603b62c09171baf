import type { Nft } from '../nft/index.js';
import { SHUT } from './policy/index.js';
import type { DesiredTable } from './table.js';
import { chainsAnew } from './table-text.js';

/** A transaction that takes the rules of `SHUT` out of a table again. */
export function openedText(table: DesiredTable, names: Iterable<string> = SHUT.keys()): string {
  return chainsAnew(table.name, table.chains, new Set(names));
}

/**
 * The same for a table in which an earlier run left them, since it ended between the two transactions
 * of a replacement; empty when it did not. Faults: those of nft.
 */
export async function openingOf(nft: Nft, table: DesiredTable): Promise<string> {
  const shut: string[] = [];
  for (const [chain, rule] of SHUT) {
    const comment = /comment "(.*)"/.exec(rule)?.[1] ?? rule;
    const listed = await nft.listJson(`list chain inet ${table.name} ${chain}`);
    if (JSON.stringify(listed).includes(comment)) shut.push(chain);
  }
  return shut.length === 0 ? '' : openedText(table, shut);
}
