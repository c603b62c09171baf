import type { Profile } from '../model/index.js';
import { defaultAllowProfile } from '../model/v3/index.js';
import type { Policy } from './policy/index.js';

/**
 * Profiles from their two sources: the store, and the driver, which knows those it just wrote before
 * the store's watch tells. What the store has told of is the store's from then on.
 */
export class ProfileBook {
  readonly #policy: Policy;
  readonly #told = new Set<string>();

  constructor(policy: Policy) {
    this.#policy = policy;
    // In no store, and known to every Calico client.
    this.#set(defaultAllowProfile.name, defaultAllowProfile);
  }

  /** From the driver. True when it was news. */
  learn(profile: Profile): boolean {
    if (this.#told.has(profile.name)) return false;
    this.#set(profile.name, profile);
    return true;
  }

  /** From the store. */
  tell(name: string, profile: Profile | undefined): void {
    if (profile === undefined) this.#told.delete(name);
    else this.#told.add(name);
    this.#set(name, profile);
  }

  #set(name: string, profile: Profile | undefined): void {
    this.#policy.setProfile(name, profile);
  }
}
