import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/index.js';
import {
  resourceKey,
  type Compare,
  type Entry,
  type Store,
  type Write,
} from '../datastore/index.js';
import type { Profile } from '../model/index.js';
import { decodeProfile, encodeProfile, type Identity } from '../model/v3/index.js';

/**
 * The automatic profile of a network: its members talk, nobody else reaches them, and they reach
 * everything, or on an internal network each other only. `labelsToApply` makes every agent, Felix
 * included, see the membership (node-agent §5.5).
 */
export function automaticProfile(name: string, internal: boolean): Profile {
  const members = `has(${name})`;
  return {
    name,
    ingress: [{ action: 'Allow', source: { selector: members } }],
    egress: [
      internal ? { action: 'Allow', destination: { selector: members } } : { action: 'Allow' },
    ],
    labelsToApply: { [name]: '' },
  };
}

/** Profiles as last written or read by this driver; an existing one is never rewritten. */
export class ProfileBook {
  readonly #revisions = new Map<string, bigint>();
  readonly #enabled: boolean;
  readonly #learn: (profile: Profile) => void;

  constructor(options: { readonly enabled: boolean; readonly learn: (profile: Profile) => void }) {
    this.#enabled = options.enabled;
    this.#learn = options.learn;
  }

  keyOf(name: string): string {
    return resourceKey('profiles', name);
  }

  /**
   * What an endpoint's commit brings along: the profile must be what we know, or is made with it when it
   * is unknown here (the compare then finds out whether it exists).
   */
  parts(
    profile: Profile,
    identity: Identity,
  ): { readonly compares: readonly Compare[]; readonly writes: readonly Write[] } {
    if (!this.#enabled) return { compares: [], writes: [] };
    const key = this.keyOf(profile.name);
    const revision = this.#revisions.get(key) ?? 0n;
    const writes = revision === 0n ? [{ key, value: encodeProfile(profile, identity) }] : [];
    return { compares: [{ key, revision }], writes };
  }

  /** The commit with `parts` went through. */
  committed(profile: Profile, revision: bigint): void {
    const key = this.keyOf(profile.name);
    if (!this.#enabled || this.#revisions.has(key)) return;
    this.#revisions.set(key, revision);
    this.#learn(profile);
  }

  /** What a failed commit read: somebody made, changed or deleted it. */
  absorb(name: string, current: ReadonlyMap<string, Entry | undefined>): void {
    const key = this.keyOf(name);
    if (!current.has(key)) return;
    const entry = current.get(key);
    if (entry === undefined) {
      this.#revisions.delete(key);
      return;
    }
    this.#revisions.set(key, entry.revision);
    this.#learn(decodeProfile(entry.value));
  }

  /** Makes the profile if it does not exist, in a commit of its own: for background corrections. */
  async ensure(store: Store, profile: Profile, clock: Clock): Promise<void> {
    const identity = { uid: randomUUID(), createdAt: new Date(clock.now()) };
    const { compares, writes } = this.parts(profile, identity);
    if (writes.length === 0) return;
    const result = await store.commit({ compares, writes, reads: [this.keyOf(profile.name)] });
    if (result.committed) this.committed(profile, result.revision);
    else this.absorb(profile.name, result.current);
  }

  /** True while the stored profile says exactly what we would write. */
  isUntouched(entry: Entry, automatic: Profile): boolean {
    return isDeepStrictEqual(decodeProfile(entry.value), automatic);
  }

  forget(name: string): void {
    this.#revisions.delete(this.keyOf(name));
  }
}
