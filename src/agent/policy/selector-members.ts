import {
  requiredLabel,
  type Address,
  type LabelRestriction,
  type Labels,
  type Selector,
} from '../../model/index.js';

/** What of an endpoint decides whom a selector matches; any node's, also those without interface here. */
export interface EndpointFacts {
  readonly labels: Labels;
  /** In order: their `labelsToApply` are added, the first writer of a label wins. */
  readonly profiles: readonly string[];
  readonly addresses: readonly Address[];
}

export interface MemberListener {
  onJoin(selectorId: string, address: Address): void;
  onLeave(selectorId: string, address: Address): void;
}

interface Known {
  facts: EndpointFacts;
  labels: Labels;
  matched: ReadonlySet<string>;
}

interface Watched {
  readonly selector: Selector;
  readonly restriction: LabelRestriction | undefined;
  /** Two endpoints may share an address: it leaves with the last one. */
  readonly counts: Map<string, { readonly address: Address; count: number }>;
}

/**
 * Which addresses each selector in use matches, over all endpoints of the cluster. Work per change
 * is in the number of selectors that the endpoint's labels could touch, and per new selector in the
 * number of endpoints that carry the label it asks for: never in the size of the cluster.
 */
export class SelectorMembers {
  readonly #listener: MemberListener;
  readonly #endpoints = new Map<string, Known>();
  readonly #endpointsByLabel = new Map<string, Set<string>>();
  readonly #endpointsByProfile = new Map<string, Set<string>>();
  readonly #profileLabels = new Map<string, Labels>();
  readonly #selectors = new Map<string, Watched>();
  readonly #selectorsByLabel = new Map<string, Set<string>>();

  constructor(listener: MemberListener) {
    this.#listener = listener;
  }

  get endpointCount(): number {
    return this.#endpoints.size;
  }

  get selectorCount(): number {
    return this.#selectors.size;
  }

  /** An endpoint appeared, changed, or (undefined) went. */
  setEndpoint(key: string, facts: EndpointFacts | undefined): void {
    const known = this.#endpoints.get(key);
    if (known !== undefined) unlist(this.#endpointsByProfile, known.facts.profiles, key);
    if (facts === undefined) {
      if (known !== undefined) this.#update(key, known, undefined);
      return;
    }
    list(this.#endpointsByProfile, facts.profiles, key);
    this.#update(key, known, facts);
  }

  /** The labels that a profile applies to its endpoints; undefined when there is no such profile. */
  setProfileLabels(profile: string, labels: Labels | undefined): void {
    if (sameLabels(this.#profileLabels.get(profile) ?? {}, labels ?? {})) return;
    if (labels === undefined) this.#profileLabels.delete(profile);
    else this.#profileLabels.set(profile, labels);
    for (const key of this.#endpointsByProfile.get(profile) ?? []) {
      const known = this.#endpoints.get(key);
      if (known !== undefined) this.#update(key, known, known.facts);
    }
  }

  /** Begins to watch a selector; the listener hears of its members at once. */
  watch(selector: Selector): void {
    if (this.#selectors.has(selector.id)) return;
    const restriction = requiredLabel(selector.root);
    this.#selectors.set(selector.id, { selector, restriction, counts: new Map() });
    list(this.#selectorsByLabel, [restriction?.label ?? ''], selector.id);
    const candidates =
      restriction === undefined
        ? this.#endpoints.keys()
        : (this.#endpointsByLabel.get(restriction.label) ?? []);
    for (const key of candidates) {
      const known = this.#endpoints.get(key);
      if (known === undefined || !selector.evaluate(known.labels)) continue;
      known.matched = new Set(known.matched).add(selector.id);
      this.#join(selector.id, known.facts.addresses);
    }
  }

  /** Ends it; the listener hears nothing, for it drops the whole set. */
  unwatch(selectorId: string): void {
    const watched = this.#selectors.get(selectorId);
    if (watched === undefined) return;
    this.#selectors.delete(selectorId);
    unlist(this.#selectorsByLabel, [watched.restriction?.label ?? ''], selectorId);
    const candidates =
      watched.restriction === undefined
        ? this.#endpoints.keys()
        : (this.#endpointsByLabel.get(watched.restriction.label) ?? []);
    for (const key of candidates) {
      const known = this.#endpoints.get(key);
      if (known?.matched.has(selectorId) !== true) continue;
      const matched = new Set(known.matched);
      matched.delete(selectorId);
      known.matched = matched;
    }
  }

  members(selectorId: string): Address[] {
    const counts = this.#selectors.get(selectorId)?.counts.values() ?? [];
    return [...counts].map(({ address }) => address);
  }

  #update(key: string, known: Known | undefined, facts: EndpointFacts | undefined): void {
    const labels = facts === undefined ? {} : this.#effectiveLabels(facts);
    const before = known?.matched ?? new Set<string>();
    const matched = facts === undefined ? new Set<string>() : this.#matching(labels);
    // Joins first: an address that two endpoints share, or that stays, never leaves for a moment.
    for (const id of matched) this.#join(id, facts?.addresses ?? []);
    for (const id of before) this.#leave(id, known?.facts.addresses ?? []);
    unlist(this.#endpointsByLabel, Object.keys(known?.labels ?? {}), key);
    if (facts === undefined) {
      this.#endpoints.delete(key);
      return;
    }
    list(this.#endpointsByLabel, Object.keys(labels), key);
    this.#endpoints.set(key, { facts, labels, matched });
  }

  #effectiveLabels(facts: EndpointFacts): Labels {
    const labels: Record<string, string> = Object.assign(Object.create(null), facts.labels);
    for (const profile of facts.profiles) {
      for (const [label, value] of Object.entries(this.#profileLabels.get(profile) ?? {})) {
        labels[label] ??= value;
      }
    }
    return labels;
  }

  #matching(labels: Labels): Set<string> {
    const matched = new Set<string>();
    // '' lists the selectors that ask for no label; no label has that name.
    for (const label of ['', ...Object.keys(labels)]) {
      for (const id of this.#selectorsByLabel.get(label) ?? []) {
        if (this.#selectors.get(id)?.selector.evaluate(labels) === true) matched.add(id);
      }
    }
    return matched;
  }

  #join(id: string, addresses: readonly Address[]): void {
    const counts = this.#selectors.get(id)?.counts;
    for (const address of addresses) {
      const known = counts?.get(String(address));
      if (known !== undefined) known.count += 1;
      else {
        counts?.set(String(address), { address, count: 1 });
        this.#listener.onJoin(id, address);
      }
    }
  }

  #leave(id: string, addresses: readonly Address[]): void {
    const counts = this.#selectors.get(id)?.counts;
    for (const address of addresses) {
      const known = counts?.get(String(address));
      if (known === undefined) continue;
      known.count -= 1;
      if (known.count > 0) continue;
      counts?.delete(String(address));
      this.#listener.onLeave(id, address);
    }
  }
}

function list(index: Map<string, Set<string>>, labels: readonly string[], key: string): void {
  for (const label of labels) {
    const keys = index.get(label);
    if (keys === undefined) index.set(label, new Set([key]));
    else keys.add(key);
  }
}

function unlist(index: Map<string, Set<string>>, labels: readonly string[], key: string): void {
  for (const label of labels) {
    const keys = index.get(label);
    keys?.delete(key);
    if (keys?.size === 0) index.delete(label);
  }
}

function sameLabels(left: Labels, right: Labels): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && left[name] === right[name])
  );
}
