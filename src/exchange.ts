import { deadline, Fault, isFault } from './base/index.js';
import { DATASTORE_EXCHANGED, exchangedFault } from './datastore/index.js';
import { hasPool } from './ipam/index.js';
import { recordExchange, type DatastoreVerdict, type LineageKeeper } from './node/index.js';
import type { PluginCore } from './plugin-core.js';

/** How the datastore was found to be another one than before, for `status`. */
export interface ExchangeNews {
  readonly how: string;
  readonly why: string;
  /** RFC 3339. */
  readonly at: string;
}

export function describeExchange(
  verdict: DatastoreVerdict,
  nowMs: number,
): ExchangeNews | undefined {
  if (verdict.kind !== 'exchanged') return undefined;
  return { how: verdict.how, why: verdict.why, at: new Date(nowMs).toISOString() };
}

/**
 * A datastore that looks like the one before, but lacks what running containers use, is none: throws `refused`, and the
 * next try begins an epoch. What somebody took out by hand looks alike, and costs a look of all hosts. A conflict proves
 * nothing: one that stands would begin an epoch at each start.
 */
export async function refuseUnnoticed(
  { claimed, endpoints }: PluginCore['claims'],
  stateDir: string,
): Promise<void> {
  if (claimed.length + endpoints === 0) return;
  const why = `it lacked ${claimed.length} addresses and ${endpoints} endpoints of running containers`;
  await recordExchange(stateDir, why);
  throw exchangedFault(why);
}

const MOST_NAMED = 3;

/**
 * Pools tell how the hosts reach each other. Throws `refused` while a datastore has lost those of running containers:
 * what is in the kernel stays as it is until they are there again.
 */
export function requirePools(plugin: PluginCore, verdict: DatastoreVerdict): void {
  const { catalog, restored } = plugin;
  const lost = restored
    .flatMap(({ addresses }) => addresses)
    .filter((address) => !hasPool(catalog, address));
  if (lost.length === 0) return;
  const more = lost.length > MOST_NAMED ? ` and ${lost.length - MOST_NAMED} more` : '';
  throw new Fault(
    'refused',
    `the datastore ${verdict.kind === 'exchanged' ? `was exchanged (${verdict.why})` : 'is new to this host'} and has no pool for addresses of running containers (${lost.slice(0, MOST_NAMED).join(', ')}${more}): ` +
      'make the pools again with calicoctl create -f; until then none is given out, and running containers are left as they are',
    { reason: DATASTORE_EXCHANGED },
  );
}

/** How long what is in the kernel is left as it is for the sake of hosts that have not claimed again. */
const OTHERS_MS = 10_000;

/** Waits a while for the other hosts: until then the datastore lacks their endpoints and blocks. */
export async function othersClaimed(keeper: LineageKeeper, signal: AbortSignal): Promise<void> {
  try {
    await keeper.settled(deadline(OTHERS_MS, signal));
  } catch (error) {
    // A host that is down holds up new addresses, and nothing else.
    if (signal.aborted || !isFault(error, 'timeout')) throw error;
  }
}
