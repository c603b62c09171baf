import { isFault, messageOf, type Log } from '../base/index.js';
import type { Nft } from '../nft/index.js';
import type { Policy, RuleOwner } from './policy/index.js';
import { DesiredTable } from './table.js';

/**
 * Finds the profiles and policies in use whose rules nft refuses, and makes them deny everything: one
 * of them must not keep the rules of all others out of the kernel. True when there was one.
 */
export async function isolateBadRules(nft: Nft, policy: Policy, log: Log): Promise<boolean> {
  const refused = await findRefused(nft, policy, policy.owners());
  for (const { owner, reason } of refused) {
    log.error(
      { [owner.kind]: owner.name, reason },
      'nft refuses these rules; they deny everything',
    );
    policy.refuse(owner, `nft refused its rules: ${reason}`);
  }
  return refused.length > 0;
}

interface Refused {
  readonly owner: RuleOwner;
  readonly reason: string;
}

/** By halves: a few checks for one bad owner among thousands. */
async function findRefused(
  nft: Nft,
  policy: Policy,
  owners: readonly RuleOwner[],
): Promise<readonly Refused[]> {
  const [owner] = owners;
  if (owner === undefined) return [];
  const reason = await refusalOf(nft, policy, owners);
  if (reason === undefined) return [];
  if (owners.length === 1) return [{ owner, reason }];
  const half = owners.length >> 1;
  return [
    ...(await findRefused(nft, policy, owners.slice(0, half))),
    ...(await findRefused(nft, policy, owners.slice(half))),
  ];
}

/** A table with nothing but their chains is checked, not applied; nft's words when it refuses. */
async function refusalOf(
  nft: Nft,
  policy: Policy,
  owners: readonly RuleOwner[],
): Promise<string | undefined> {
  const table = new DesiredTable('calico-libnetwork-probe');
  policy.putAlone(table, owners);
  try {
    await nft.check(table.takeFull());
    return undefined;
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    return messageOf(error);
  }
}
