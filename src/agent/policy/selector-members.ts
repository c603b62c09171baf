import type { Address, Family, Labels } from '../../model/index.js';
import { LabelIndex, type Labelled, type Rematch } from './label-index.js';
import { KernelSets, type Contribution, type KernelSet, type MemberSet } from './member-set.js';
import type { RuleSink } from './ports.js';

/** What of an item decides whom a selector matches: endpoints of any node, and sets of networks. */
export interface EndpointFacts extends Labelled, Contribution {}

/** The item of an endpoint, apart from those of others; inside another text a stored key would be in memory twice. */
export const endpointKey = (key: string): string => (key.startsWith('/') ? key : `endpoint ${key}`);

/**
 * The kernel's sets of all selectors in use, over all endpoints and network sets of the cluster.
 * What a change of one item costs is in the number of sets that it enters or leaves.
 */
export class SelectorMembers {
  readonly #sink: RuleSink;
  readonly #onRenamed: (setId: string) => void;
  readonly #index = new LabelIndex();
  /** Without labels and profiles, which the index has once for all that are alike. */
  readonly #items = new Map<string, Contribution>();
  /** Hardly any address has more than one. */
  readonly #keysByAddress = new Map<string, string | readonly string[]>();
  readonly #withNets = new Set<string>();
  readonly #sets = new Map<string, KernelSets>();
  /** Sets whose networks are to be put in order. */
  readonly #unsettled = new Set<string>();
  #held = false;

  /** `onRenamed`: rules that name this set are to be written again. */
  constructor(sink: RuleSink, onRenamed: (setId: string) => void) {
    this.#sink = sink;
    this.#onRenamed = onRenamed;
  }

  /** Endpoints and network sets. */
  get itemCount(): number {
    return this.#index.itemCount;
  }

  get setCount(): number {
    return this.#sets.size;
  }

  /** Until `release`, networks are only gathered: putting them in order once is cheaper than often. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#settle();
  }

  /**
   * An endpoint or network set appeared, changed, or (undefined) went. True when one that stays is in
   * other sets now.
   */
  setItem(key: string, facts: EndpointFacts | undefined): boolean {
    const before = this.#items.get(key);
    const rematch = this.#index.setItem(key, facts);
    if (facts === undefined) this.#items.delete(key);
    else this.#items.set(key, contributionOf(facts));
    this.#list(key, before, facts);
    this.#follow(rematch, before, facts);
    this.#settle();
    return before !== undefined && facts !== undefined && isOther(rematch);
  }

  /** The labels that a profile applies to its endpoints; undefined when there is no such profile. */
  setProfileLabels(profile: string, labels: Labels | undefined): void {
    for (const rematch of this.#index.setProfileLabels(profile, labels)) {
      const item = this.#items.get(rematch.key);
      this.#follow(rematch, item, item);
    }
    this.#settle();
  }

  /** Makes the kernel's sets of a set that is not watched yet. */
  watch(set: MemberSet): void {
    const sets = new KernelSets(this.#sink, set);
    this.#sets.set(set.id, sets);
    for (const key of this.#index.watch(set.id, set.selector)) {
      const item = this.#items.get(key);
      if (item !== undefined) sets.join(item);
    }
    this.#unsettled.add(set.id);
    this.#settle();
  }

  unwatch(setId: string): void {
    this.#sets.get(setId)?.drop();
    this.#sets.delete(setId);
    this.#unsettled.delete(setId);
    this.#index.unwatch(setId);
  }

  /** What the kernel's sets are called now: a member is in one of them. */
  namesOf(setId: string, family: Family): readonly KernelSet[] {
    return this.#sets.get(setId)?.names(family) ?? [];
  }

  /** Endpoints that have the address. */
  itemsAt(address: Address): readonly (readonly [string, EndpointFacts])[] {
    return this.#keysAt(address).flatMap((key) => {
      const facts = this.#factsOf(key);
      return facts === undefined ? [] : [[key, facts] as const];
    });
  }

  /** Sets of networks. */
  *itemsWithNets(): Generator<EndpointFacts> {
    for (const key of this.#withNets) {
      const facts = this.#factsOf(key);
      if (facts !== undefined) yield facts;
    }
  }

  #factsOf(key: string): EndpointFacts | undefined {
    const contribution = this.#items.get(key);
    const labelled = this.#index.labelled(key);
    return contribution && labelled && { ...labelled, ...contribution };
  }

  #keysAt(address: Address): readonly string[] {
    const keys = this.#keysByAddress.get(String(address)) ?? [];
    return typeof keys === 'string' ? [keys] : keys;
  }

  #list(key: string, was: Contribution | undefined, is: Contribution | undefined): void {
    for (const address of was?.addresses ?? []) {
      const left = this.#keysAt(address).filter((other) => other !== key);
      if (left.length === 0) this.#keysByAddress.delete(String(address));
      else this.#keysByAddress.set(String(address), left);
    }
    for (const address of is?.addresses ?? []) {
      const others = this.#keysAt(address);
      this.#keysByAddress.set(String(address), others.length === 0 ? key : [...others, key]);
    }
    if (is?.nets === undefined) this.#withNets.delete(key);
    else this.#withNets.add(key);
  }

  #follow(
    { before, after }: Rematch,
    was: Contribution | undefined,
    is: Contribution | undefined,
  ): void {
    // Joins first: a member that two items share, or that stays, never leaves for a moment.
    if (is !== undefined) for (const id of after) this.#sets.get(id)?.join(is);
    if (was !== undefined) for (const id of before) this.#sets.get(id)?.leave(was);
    if (is?.nets !== undefined) for (const id of after) this.#unsettled.add(id);
    if (was?.nets !== undefined) for (const id of before) this.#unsettled.add(id);
  }

  #settle(): void {
    if (this.#held) return;
    for (const id of this.#unsettled) {
      if (this.#sets.get(id)?.settle() === true) this.#onRenamed(id);
    }
    this.#unsettled.clear();
  }
}

function contributionOf({ addresses, nets, ports = [] }: Contribution): Contribution {
  return {
    addresses,
    ...(nets === undefined ? {} : { nets }),
    ...(ports.length === 0 ? {} : { ports }),
  };
}

function isOther({ before, after }: Rematch): boolean {
  return before.size !== after.size || [...before].some((id) => !after.has(id));
}
