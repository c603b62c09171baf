import { isFault, messageOf, type Log } from '../base/index.js';
import type { Profile } from '../model/index.js';
import type { Nft } from '../nft/index.js';
import { Policy } from './policy/index.js';
import type { ProfileBook } from './profile-book.js';
import { DesiredTable } from './table.js';

/**
 * Finds the profiles in use whose rules nft refuses, and makes them admit nothing: one of them must
 * not keep the policy of all others out of the kernel. True when there was one.
 */
export async function isolateBadProfiles(
  nft: Nft,
  policy: Policy,
  profiles: ProfileBook,
  log: Log,
): Promise<boolean> {
  let found = false;
  for (const name of policy.activeProfiles()) {
    const profile = profiles.get(name);
    const reason = profile === undefined ? undefined : await refusalOf(nft, profile);
    if (reason === undefined) continue;
    found = true;
    log.error({ profile: name, reason }, 'nft refuses the rules of a profile; it admits nothing');
    policy.refuseProfile(name, `nft refused its rules: ${reason}`);
  }
  return found;
}

/** A table with nothing but this profile is checked, not applied; nft's words when it refuses. */
async function refusalOf(nft: Nft, profile: Profile): Promise<string | undefined> {
  const table = new DesiredTable('calico-libnetwork-probe');
  const policy = new Policy(table, { hostReach: 'own' }, () => 0);
  policy.setProfile(profile.name, profile);
  policy.setLocal('probe', {
    interfaceName: 'caliprobe',
    addresses: [],
    profiles: [profile.name],
    sandboxKey: '',
  });
  try {
    await nft.check(table.takeFull());
    return undefined;
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    return messageOf(error);
  }
}
