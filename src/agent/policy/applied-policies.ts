import type { Labels, NetworkPolicy, Tier, TierAction } from '../../model/index.js';
import { LabelIndex, type Labelled, type Rematch } from './label-index.js';
import { PolicyOrder } from './policy-order.js';
import type { Direction } from './rule-names.js';
import { policySelector } from './scoped-selector.js';

/** The policies of one tier that apply to an endpoint in one direction, in order. */
export interface TierList {
  readonly name: string;
  readonly defaultAction: TierAction;
  /** IDs; never empty. */
  readonly policies: readonly string[];
}

/** Where in a packet's way a policy is asked; all but `normal` is for host endpoints only. */
export type Stage = 'normal' | 'untracked' | 'before-dnat' | 'forward';

const NO_TIERS: readonly TierList[] = [];

/**
 * Which policies apply to which endpoints of this host, in what order. Each change names the
 * endpoints that it touches; only for those are lists made anew.
 */
export class AppliedPolicies {
  readonly #index = new LabelIndex();
  readonly #order = new PolicyOrder();
  readonly #problems = new Map<string, string>();
  /** By what matches an endpoint; forgotten with every change of policies or tiers. */
  #lists = new WeakMap<ReadonlySet<string>, Map<string, readonly TierList[]>>();

  /** An endpoint of this host; undefined when it went. */
  setEndpoint(key: string, labelled: Labelled | undefined): void {
    this.#index.setItem(key, labelled);
  }

  /** A policy was made, changed, or (undefined) removed; endpoints whose lists may differ now. */
  setPolicy(id: string, policy: NetworkPolicy | undefined): ReadonlySet<string> {
    const known = this.#order.policy(id);
    if (known !== undefined && policy !== undefined && appliesAlike(known, policy)) {
      return new Set();
    }
    const touched = new Set(this.#index.unwatch(id));
    this.#lists = new WeakMap();
    this.#problems.delete(id);
    this.#order.setPolicy(id, policy);
    if (policy === undefined) return touched;
    try {
      for (const key of this.#index.watch(id, policySelector(policy))) touched.add(key);
    } catch (error) {
      // Whom it is for cannot be known: it counts as absent, and is told.
      this.#order.setPolicy(id, undefined);
      this.#problems.set(id, error instanceof Error ? error.message : 'bad selector');
    }
    return touched;
  }

  setTier(name: string, tier: Tier | undefined): ReadonlySet<string> {
    const before = this.#order.tier(name);
    this.#order.setTier(name, tier);
    const after = this.#order.tier(name);
    const touched = new Set<string>();
    if (before.order === after.order && before.defaultAction === after.defaultAction) {
      return touched;
    }
    this.#lists = new WeakMap();
    for (const key of this.#index.keys()) {
      for (const id of this.#index.matchedBy(key)) {
        if (this.#order.policy(id)?.tier === name) touched.add(key);
      }
    }
    return touched;
  }

  setProfileLabels(profile: string, labels: Labels | undefined): readonly string[] {
    const changed = ({ before, after }: Rematch): boolean =>
      before.size !== after.size || [...before].some((id) => !after.has(id));
    return this.#index
      .setProfileLabels(profile, labels)
      .filter(changed)
      .map(({ key }) => key);
  }

  /** The tiers that an endpoint's packets pass in one direction: one object for all that have the same. */
  tiers(key: string, direction: Direction, stage: Stage = 'normal'): readonly TierList[] {
    const matched = this.#index.matchedBy(key);
    if (matched.size === 0) return NO_TIERS;
    const lists = this.#lists.get(matched) ?? new Map<string, readonly TierList[]>();
    this.#lists.set(matched, lists);
    const place = `${direction} ${stage}`;
    const tiers = lists.get(place) ?? this.#tiersOf(matched, direction, stage);
    lists.set(place, tiers);
    return tiers;
  }

  #tiersOf(matched: ReadonlySet<string>, direction: Direction, stage: Stage): readonly TierList[] {
    const ids = [...matched].filter((id) => {
      const policy = this.#order.policy(id);
      return policy !== undefined && hasType(policy, direction) && isOfStage(policy, stage);
    });
    const tiers: { name: string; defaultAction: TierAction; policies: string[] }[] = [];
    for (const id of this.#order.sort(ids)) {
      const { name, defaultAction } = this.#order.tier(this.#order.policy(id)?.tier ?? '');
      const last = tiers.at(-1);
      if (last?.name === name) last.policies.push(id);
      else tiers.push({ name, defaultAction, policies: [id] });
    }
    return tiers;
  }

  /** IDs of the policies that select an endpoint, in no order. */
  policiesOf(key: string): readonly string[] {
    return [...this.#index.matchedBy(key)];
  }

  tier(name: string): Tier {
    return this.#order.tier(name);
  }

  /** Policies that count as absent, each with why. */
  get unusable(): ReadonlyMap<string, string> {
    return this.#problems;
  }

  missingTiers(): ReadonlyMap<string, readonly string[]> {
    return this.#order.missingTiers();
  }
}

function hasType(policy: NetworkPolicy, direction: Direction): boolean {
  return policy.types.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
}

/** With `applyOnForward` alone a policy is asked for local and for forwarded traffic. */
function isOfStage({ doNotTrack, preDNAT, applyOnForward }: NetworkPolicy, stage: Stage): boolean {
  switch (stage) {
    case 'normal':
      return !doNotTrack && !preDNAT;
    case 'untracked':
      return doNotTrack;
    case 'before-dnat':
      return preDNAT && !doNotTrack;
    case 'forward':
      return applyOnForward && !doNotTrack && !preDNAT;
  }
}

/** Only its rules may differ, which its chains hold: whom it is for and where it stands is the same. */
function appliesAlike(left: NetworkPolicy, right: NetworkPolicy): boolean {
  const shape = (policy: NetworkPolicy): string => {
    const { name, namespace, tier, order, selector, namespaceSelector, types } = policy;
    const { doNotTrack, preDNAT, applyOnForward } = policy;
    const place = [name, namespace, tier, order, selector, namespaceSelector, types];
    return JSON.stringify([...place, doNotTrack, preDNAT, applyOnForward]);
  };
  return shape(left) === shape(right);
}
