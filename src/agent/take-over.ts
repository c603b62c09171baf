import { isFault, messageOf, orAbort, type Log } from '../base/index.js';
import type { Nft } from '../nft/index.js';
import { readKernelTable, type KernelObject, type KernelTable } from './kernel-table.js';
import type { DesiredTable } from './table.js';
import type { TableWriter } from './table-writer.js';
import { blocks, tableFamilies, textOf } from './table-text.js';

/** What others change is heard within milliseconds of a start; without that nothing that was read can be trusted. */
const LISTENING_MS = 1_000;

/** A larger table is written in less time than it is read and compared (measured: a third at 100,000 members). */
const MOST_ELEMENTS = 40_000;
const MOST_RULES = 2_000;

function isLarge({ chains, sets }: DesiredTable): boolean {
  const elements = [...sets.values()].reduce((sum, set) => sum + set.elements.size, 0);
  const rules = [...chains.values()].reduce((sum, chain) => sum + chain.rules.length, 0);
  return elements > MOST_ELEMENTS || rules > MOST_RULES;
}

/** The table that an earlier run left; undefined, and all of it is replaced, when it cannot be known. */
export async function lookAtTable(
  { writer, table }: { readonly writer: TableWriter; readonly table: DesiredTable },
  log: Log,
  listening: Promise<void>,
): Promise<KernelTable | undefined> {
  try {
    await writer.begin();
    if (writer.status.state !== 'added-to' || isLarge(table)) return undefined;
    await orAbort(listening, AbortSignal.timeout(LISTENING_MS), 'listening to changes of rules');
    return await writer.look();
  } catch (error) {
    if (!isFault(error)) throw error;
    log.info({ reason: messageOf(error) }, 'the policy table of the last run cannot be read');
    return undefined;
  }
}

/** Reads our table; undefined when it cannot be compared. Faults: those of nft, but for `invalid`. */
export async function readTable(nft: Nft, name: string): Promise<KernelTable | undefined> {
  try {
    const listed: unknown[] = [];
    for (const family of tableFamilies)
      listed.push(await nft.listJson(`list table ${family} ${name}`));
    return readKernelTable(listed);
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    return undefined;
  }
}

/**
 * Whether what the kernel has is what is wanted. Everything is compared, nothing is believed by its name:
 * the elements one by one, chains and sets with what this very kernel makes of ours in an empty
 * namespace. From this call on differences are told to what is wanted now, so false asks for the whole.
 * What an earlier life left over and nothing names is no difference: it is removed with the next one.
 */
export async function isAsWanted(
  { nft, table, log }: { readonly nft: Nft; readonly table: DesiredTable; readonly log: Log },
  kernel: KernelTable,
): Promise<boolean> {
  const same = hasElements(table, kernel.elements);
  const structure = textOf(blocks(table.name, [...table.sets], [...table.chains]));
  table.takeDelta();
  if (!same) return false;
  try {
    const expected = readKernelTable([await nft.rehearse(structure)]);
    const left = expected && leftOver(kernel.objects, expected.objects);
    if (left === undefined) return false;
    const chains = left.filter(({ kind }) => kind === 'chain').map(({ name }) => name);
    const sets = left.filter(({ kind }) => kind !== 'chain').map(({ name }) => name);
    table.disown(
      chains,
      new Map(sets.map((name) => [name, kernel.elements.get(name) ?? new Map()])),
    );
    return true;
  } catch (error) {
    if (!isFault(error)) throw error;
    log.info({ reason: messageOf(error) }, 'the policy table of the last run cannot be compared');
    return false;
  }
}

/** These are the elements that are wanted, no more and no fewer, of all sets that are wanted. */
function hasElements(table: DesiredTable, found: KernelTable['elements']): boolean {
  return [...table.sets].every(([name, { elements }]) => {
    const there = found.get(name);
    if (there?.size !== elements.size) return false;
    for (const [key, value] of elements) if (there.get(key) !== value) return false;
    return true;
  });
}

/** What is there beside all that is expected; undefined when some of that is not there or is another. */
function leftOver(
  found: KernelTable['objects'],
  expected: KernelTable['objects'],
): readonly KernelObject[] | undefined {
  for (const [key, { text }] of expected) if (found.get(key)?.text !== text) return undefined;
  const others = [...found].filter(([key]) => !expected.has(key)).map(([, one]) => one);
  // Packets come into a hooked chain by themselves; of ARP's table nothing is ever removed.
  const harmless = others.every(
    ({ kind, family, hooked }) => !hooked && family === 'inet' && kind !== 'table',
  );
  return harmless ? others : undefined;
}
