import { isFault } from '../base/index.js';
import { FROM_WORKLOAD } from './policy/index.js';
import type { AgentOptions } from './ports.js';
import type { Wiring } from './wiring.js';

/** A look at whether the kernel dispatches as many interfaces as we do; the monitor tells of changes at once. */
export async function checkTable(wiring: Wiring, options: AgentOptions): Promise<void> {
  const { table, writer } = wiring;
  if (writer.status.state !== 'known' || writer.dirty || writer.busy) return;
  const { changed, replaced } = writer.status;
  const wanted = table.sets.get(FROM_WORKLOAD)?.elements.size ?? 0;
  let found = -1;
  try {
    const map = `list map inet ${table.name} ${FROM_WORKLOAD}`;
    found = countElements(await options.nft.listJson(map));
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
  }
  // An endpoint that came or went meanwhile, or a flush that is being mended, leaves nothing to compare.
  if (found === wanted || writer.dirty || writer.busy) return;
  if (writer.status.changed !== changed || writer.status.replaced !== replaced) return;
  options.log.warn(
    { wanted, found },
    'the policy table was changed by another program; replacing it',
  );
  writer.replaceWhole();
}

/** Elements in nft's JSON of one map; it has no `elem` when it is empty. */
function countElements(document: unknown): number {
  const objects =
    isRecord(document) && Array.isArray(document['nftables']) ? document['nftables'] : [];
  for (const object of objects as readonly unknown[]) {
    const map = isRecord(object) ? object['map'] : undefined;
    if (isRecord(map)) return Array.isArray(map['elem']) ? map['elem'].length : 0;
  }
  return -1;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
