import { DEFAULT_TIER, type NetworkPolicy, type Tier } from '../../model/index.js';

/** Tiers that every Calico datastore has; so orders and actions when it lacks them (node-agent §5.2). */
const BUILT_IN: readonly Tier[] = [
  { name: 'kube-admin', order: 1_000, defaultAction: 'Pass' },
  { name: DEFAULT_TIER, order: 1_000_000, defaultAction: 'Deny' },
  { name: 'kube-baseline', order: 10_000_000, defaultAction: 'Pass' },
];

/** The one order of all policies: by tier, then by their own order (node-agent §5.2). */
export class PolicyOrder {
  readonly #policies = new Map<string, NetworkPolicy>();
  readonly #tiers = new Map<string, Tier>();
  #ranks: ReadonlyMap<string, number> | undefined;

  setPolicy(id: string, policy: NetworkPolicy | undefined): void {
    if (policy === undefined) this.#policies.delete(id);
    else this.#policies.set(id, policy);
    this.#ranks = undefined;
  }

  setTier(name: string, tier: Tier | undefined): void {
    if (tier === undefined) this.#tiers.delete(name);
    else this.#tiers.set(name, tier);
    this.#ranks = undefined;
  }

  policy(id: string): NetworkPolicy | undefined {
    return this.#policies.get(id);
  }

  /** One that does not exist is asked last, and denies. */
  tier(name: string): Tier {
    return this.#known(name) ?? { name, defaultAction: 'Deny' };
  }

  /** Tiers that policies name and nobody made, each with the policies. */
  missingTiers(): ReadonlyMap<string, readonly string[]> {
    const missing = new Map<string, string[]>();
    for (const [id, { tier }] of this.#policies) {
      if (this.#known(tier) !== undefined) continue;
      missing.set(tier, [...(missing.get(tier) ?? []), id]);
    }
    return missing;
  }

  /** The policies in the order in which they are asked. */
  sort(ids: Iterable<string>): string[] {
    const ranks = (this.#ranks ??= this.#rank());
    return [...ids].sort((left, right) => (ranks.get(left) ?? 0) - (ranks.get(right) ?? 0));
  }

  #known(name: string): Tier | undefined {
    return this.#tiers.get(name) ?? BUILT_IN.find((tier) => tier.name === name);
  }

  #rank(): ReadonlyMap<string, number> {
    const all = [...this.#policies].map(([id, policy]) => ({
      id,
      policy,
      tier: this.tier(policy.tier),
    }));
    all.sort(
      (left, right) =>
        compareOrder(left.tier.order, right.tier.order) ||
        compareText(left.tier.name, right.tier.name) ||
        compareOrder(left.policy.order, right.policy.order) ||
        compareText(left.policy.name, right.policy.name) ||
        compareText(left.policy.namespace ?? '', right.policy.namespace ?? '') ||
        compareText(left.id, right.id),
    );
    return new Map(all.map(({ id }, rank) => [id, rank]));
  }
}

/** Without an order last. Infinity minus itself is no number, hence no subtraction. */
function compareOrder(left = Infinity, right = Infinity): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** By code units, as every agent must agree whatever its locale. */
function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
