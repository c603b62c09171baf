import { isFault } from '../base/index.js';
import { ARP_SENDERS, FROM_WORKLOAD } from './policy/index.js';
import type { AgentOptions } from './ports.js';
import type { Wiring } from './wiring.js';

/** One set of each of our tables: what dispatches containers, and whom they may be by ARP. */
const COUNTED = [
  ['map', 'inet', FROM_WORKLOAD],
  ['set', 'arp', ARP_SENDERS],
] as const;

/** A look at whether the kernel has as many elements there as we do; the monitor tells of changes at once. */
export async function checkTable(
  { table, writer }: Pick<Wiring, 'table' | 'writer'>,
  options: Pick<AgentOptions, 'nft' | 'log'>,
): Promise<void> {
  if (writer.status.state !== 'known' || writer.dirty || writer.busy) return;
  const { changed, replaced } = writer.status;
  const wanted = COUNTED.map(([, , set]) => table.sets.get(set)?.elements.size ?? 0).join(' ');
  const counts: number[] = [];
  for (const [kind, family, set] of COUNTED) {
    counts.push(await countOf(options, `list ${kind} ${family} ${table.name} ${set}`));
  }
  const found = counts.join(' ');
  // An endpoint that came or went meanwhile, or a flush that is being mended, leaves nothing to compare.
  if (found === wanted || writer.dirty || writer.busy) return;
  if (writer.status.changed !== changed || writer.status.replaced !== replaced) return;
  options.log.warn(
    { wanted, found },
    'the policy table was changed by another program; replacing it',
  );
  writer.replaceWhole();
}

/** -1 when there is no such set. */
async function countOf({ nft }: Pick<AgentOptions, 'nft'>, listing: string): Promise<number> {
  try {
    return countElements(await nft.listJson(listing));
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    return -1;
  }
}

/** Elements in nft's JSON of one set or map; it has no `elem` when it is empty. */
function countElements(document: unknown): number {
  const objects =
    isRecord(document) && Array.isArray(document['nftables']) ? document['nftables'] : [];
  for (const object of objects as readonly unknown[]) {
    const map = isRecord(object) ? (object['map'] ?? object['set']) : undefined;
    if (isRecord(map)) return Array.isArray(map['elem']) ? map['elem'].length : 0;
  }
  return -1;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
