import { Fault, isFault } from '../base/fault.js';
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

/**
 * Deletes the links whose index still has the given name; absent ones count as deleted. Carries on
 * past one that cannot be deleted and throws at the end, telling all of them. Blocks the thread.
 */
export async function deleteLinksInBatches(
  socket: Requests,
  links: readonly DoomedLink[],
): Promise<void> {
  const failures: Fault[] = [];
  for (let at = 0; at < links.length; at += BATCH) {
    failures.push(...(await deleteBatch(socket, links.slice(at, at + BATCH))));
  }
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) throw first;
  throw new Fault(
    first.kind,
    `${failures.length} links were not deleted; the first: ${first.message}`,
    {
      reason: first.reason,
      cause: first,
      details: { ...first.details, failures: failures.map((failure) => failure.message) },
    },
  );
}

async function deleteBatch(
  socket: Requests,
  batch: readonly DoomedLink[],
): Promise<readonly Fault[]> {
  const present = await stillThere(socket, batch);
  if (present.doomed.length === 0) return [];
  // Someone else's links in the group would go too; and for one link a group saves nothing.
  const alone = present.strangers || present.doomed.length === 1;
  if (alone || !(await deleteAsGroup(socket, present.doomed))) {
    return deleteOneByOne(socket, present.doomed);
  }
  return [];
}

async function stillThere(
  socket: Requests,
  batch: readonly DoomedLink[],
): Promise<{ readonly doomed: readonly DoomedLink[]; readonly strangers: boolean }> {
  const names = new Map(batch.map((link) => [link.index, link.name]));
  const doomed: DoomedLink[] = [];
  let strangers = false;
  for (const message of await socket.dump(listLinksRequest())) {
    const link = decodeLink(message);
    if (link === undefined) continue;
    if (names.get(link.index) === link.name) doomed.push(link);
    else if (link.group === DELETION_GROUP) strangers = true;
  }
  return { doomed, strangers };
}

/** False when they must be deleted singly, because the group is refused as a whole. */
async function deleteAsGroup(socket: Requests, links: readonly DoomedLink[]): Promise<boolean> {
  for (const link of links) {
    await orAbsent(socket.request(setLinkRequest(link.index, { group: DELETION_GROUP })));
  }
  try {
    await orAbsent(socket.request(deleteGroupRequest(DELETION_GROUP)));
    return true;
  } catch (error) {
    if (isFault(error, 'unavailable', 'timeout')) throw error;
    return false;
  }
}

async function deleteOneByOne(
  socket: Requests,
  links: readonly DoomedLink[],
): Promise<readonly Fault[]> {
  const failures: Fault[] = [];
  for (const link of links) {
    try {
      await orAbsent(socket.request(deleteLinkRequest(link.index)));
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
      await socket.request(setLinkRequest(link.index, { group: 0 })).catch(() => undefined);
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
