import { Fault, isFault } from '../base/fault.js';
import { invariant } from '../base/invariant.js';
import {
  decodeLink,
  deleteGroupRequest,
  deleteLinkRequest,
  listLinksRequest,
  setLinkRequest,
} from './link.js';
import type { Requests } from './request.js';

/** The link group that pairs are put into just before they go; nothing else of ours uses one. */
export const DELETION_GROUP = 0xca11;

/**
 * Pairs in one kernel request. One alone blocks the sending thread for 16 ms, sixty for 25; larger
 * batches hold the kernel's rtnl lock long enough to delay the making of new pairs.
 */
export const BATCH = 60;

export interface DoomedLink {
  readonly index: number;
  readonly name: string;
}

/** Two ways to the kernel. */
export interface Lanes {
  /** For what the kernel answers at once. */
  readonly quick: Requests;
  /** For deletions, which hold the thread that sends them. */
  readonly slow: Requests;
}

/**
 * Deletes the links whose index still has the given name; absent ones count as deleted. Carries on
 * past one that cannot be deleted and throws at the end, telling all of them.
 */
export async function deleteLinksInBatches(
  lanes: Lanes,
  links: readonly DoomedLink[],
): Promise<void> {
  const { doomed, strangers } = await stillThere(lanes, links);
  const failures: Fault[] = [];
  for (let at = 0; at < doomed.length; at += BATCH) {
    const batch = doomed.slice(at, at + BATCH);
    // Someone else's links in the group would go too; and for one link a group saves nothing.
    const alone = strangers || batch.length === 1;
    if (alone || !(await deleteAsGroup(lanes, batch))) {
      failures.push(...(await deleteOneByOne(lanes, batch)));
    }
  }
  if (failures.length > 0) throw summary(failures);
}

function summary(failures: readonly Fault[]): Fault {
  const [first] = failures;
  invariant(first !== undefined, 'a summary of no failures');
  if (failures.length === 1) return first;
  const message = `${failures.length} links were not deleted; the first: ${first.message}`;
  return new Fault(first.kind, message, {
    reason: first.reason,
    cause: first,
    details: { ...first.details, failures: failures.map((failure) => failure.message) },
  });
}

async function stillThere(
  { quick }: Lanes,
  links: readonly DoomedLink[],
): Promise<{ readonly doomed: readonly DoomedLink[]; readonly strangers: boolean }> {
  const names = new Map(links.map((link) => [link.index, link.name]));
  const doomed: DoomedLink[] = [];
  let strangers = false;
  if (links.length === 0) return { doomed, strangers };
  for (const message of await quick.dump(listLinksRequest())) {
    const link = decodeLink(message);
    if (link === undefined) continue;
    if (names.get(link.index) === link.name) doomed.push(link);
    else if (link.group === DELETION_GROUP) strangers = true;
  }
  return { doomed, strangers };
}

/** False when they must be deleted singly, because the group is refused as a whole. */
async function deleteAsGroup(
  { quick, slow }: Lanes,
  links: readonly DoomedLink[],
): Promise<boolean> {
  try {
    await Promise.all(
      links.map(({ index }) =>
        orAbsent(quick.request(setLinkRequest(index, { group: DELETION_GROUP }))),
      ),
    );
    await orAbsent(slow.request(deleteGroupRequest(DELETION_GROUP)));
    return true;
  } catch (error) {
    if (isFault(error, 'unavailable', 'timeout')) throw error;
    return false;
  }
}

async function deleteOneByOne(
  { quick, slow }: Lanes,
  links: readonly DoomedLink[],
): Promise<readonly Fault[]> {
  const failures: Fault[] = [];
  for (const link of links) {
    try {
      await orAbsent(slow.request(deleteLinkRequest(link.index)));
    } catch (error) {
      if (!isFault(error)) throw error;
      failures.push(
        new Fault(error.kind, `link ${link.name} was not deleted: ${error.message}`, {
          reason: error.reason,
          cause: error,
          details: error.details,
        }),
      );
      // Out of the group again, or the next batch is refused for it. That this fails too (the
      // same lack of permission, or it went by itself) adds nothing to what is reported.
      await quick.request(setLinkRequest(link.index, { group: 0 })).catch(() => undefined);
    }
  }
  return failures;
}

async function orAbsent(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}
