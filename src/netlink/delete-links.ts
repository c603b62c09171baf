import { Fault, isFault } from '../base/fault.js';
import { invariant } from '../base/invariant.js';
import {
  decodeLink,
  deleteGroupRequest,
  deleteLinkRequest,
  getLinkByIndexRequest,
  listLinksRequest,
  setLinkRequest,
} from './link.js';
import type { Requests } from './request.js';

/** First of the link groups tried for pairs that are to go. */
export const FIRST_DELETION_GROUP = 0xca11;

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
 * The link group that pairs are put into just before they go: one that had no member when it was
 * first needed, so that nobody else's link goes with them. It costs one look at all links, ever.
 */
export class DeletionGroup {
  #number: number | undefined;
  /** Put into it by us, and not known to have gone or to be out again. */
  readonly members = new Set<number>();

  async number({ quick }: Lanes): Promise<number> {
    if (this.#number !== undefined) return this.#number;
    const links = await quick.dump(listLinksRequest());
    const taken = new Set(links.map((message) => decodeLink(message)?.group));
    let free = FIRST_DELETION_GROUP;
    while (taken.has(free)) free += 1;
    this.#number = free;
    return free;
  }
}

/**
 * Deletes the links whose index still has the given name; absent ones count as deleted. Carries on
 * past one that cannot be deleted and throws at the end, telling all of them.
 */
export async function deleteLinksInBatches(
  lanes: Lanes,
  links: readonly DoomedLink[],
  group: DeletionGroup,
): Promise<void> {
  const failures: Fault[] = [];
  await takeOut(lanes, group);
  for (let at = 0; at < links.length; at += BATCH) {
    const batch = await stillThere(lanes, links.slice(at, at + BATCH));
    // What an earlier failure left in the group would go too; and for one link a group saves nothing.
    const alone = group.members.size > 0 || batch.length <= 1;
    if (alone || !(await deleteAsGroup(lanes, batch, group))) {
      failures.push(...(await deleteOneByOne(lanes, batch, group)));
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

/** What an earlier failure left in the group is out of it again, or known to be gone; or else stays a member. */
async function takeOut({ quick }: Lanes, { members }: DeletionGroup): Promise<void> {
  for (const index of members) {
    await orAbsent(quick.request(setLinkRequest(index, { group: 0 }))).then(
      () => members.delete(index),
      () => undefined,
    );
  }
}

/** Asks for each: a list of all links would cost as much as the host has containers. */
async function stillThere(
  { quick }: Lanes,
  links: readonly DoomedLink[],
): Promise<readonly DoomedLink[]> {
  const found = await Promise.all(
    links.map(async (link) => {
      const messages = await orAbsent(quick.request(getLinkByIndexRequest(link.index)));
      return messages?.some((message) => decodeLink(message)?.name === link.name) === true;
    }),
  );
  return links.filter((_, at) => found[at]);
}

/** False when they must be deleted singly, because the group is refused as a whole. */
async function deleteAsGroup(
  { quick, slow }: Lanes,
  links: readonly DoomedLink[],
  group: DeletionGroup,
): Promise<boolean> {
  try {
    const number = await group.number({ quick, slow });
    await Promise.all(
      links.map(({ index }) => {
        group.members.add(index);
        return orAbsent(quick.request(setLinkRequest(index, { group: number })));
      }),
    );
    await orAbsent(slow.request(deleteGroupRequest(number)));
    group.members.clear();
    return true;
  } catch (error) {
    if (isFault(error, 'unavailable', 'timeout')) throw error;
    return false;
  }
}

async function deleteOneByOne(
  { quick, slow }: Lanes,
  links: readonly DoomedLink[],
  group: DeletionGroup,
): Promise<readonly Fault[]> {
  const failures: Fault[] = [];
  for (const link of links) {
    try {
      await orAbsent(slow.request(deleteLinkRequest(link.index)));
      group.members.delete(link.index);
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
      await takeOut({ quick, slow }, group);
    }
  }
  return failures;
}

/** Undefined when there is no such link. */
async function orAbsent<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
    return undefined;
  }
}
