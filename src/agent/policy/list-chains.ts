import type { TierList } from './applied-policies.js';
import { listRules, tierRules } from './list-rules.js';
import type { RuleSink } from './ports.js';
import type { RuleChains } from './rule-chains.js';
import { listChain, tierChain, type Direction } from './rule-names.js';

/** What decides about the packets of an endpoint in one direction. */
export interface RuleOrder {
  readonly tiers: readonly TierList[];
  readonly profiles: readonly string[];
}

export interface ListSettings {
  /** `all`: every host of the cluster reaches the containers; `own`: only the host they run on. */
  readonly hostReach: 'own' | 'all';
}

interface Shared {
  /** Chains of rules and of tiers that this one's rules jump to. */
  readonly rules: readonly string[];
  readonly tiers: readonly string[];
  users: number;
  idleSince: number;
}

/**
 * One chain per distinct list of tiers and profiles and direction, shared by the endpoints that have
 * it. A tier of several policies has a chain of its own, so that Pass leaves it in one step. Chains that lost
 * their last endpoint stay a while: the next container often wants them.
 */
export class ListChains {
  readonly #sink: RuleSink;
  readonly #rules: RuleChains;
  readonly #settings: ListSettings;
  readonly #now: () => number;
  readonly #lists = new Map<string, Shared>();
  readonly #tiers = new Map<string, Shared>();

  constructor(sink: RuleSink, rules: RuleChains, settings: ListSettings, now: () => number) {
    this.#sink = sink;
    this.#rules = rules;
    this.#settings = settings;
    this.#now = now;
  }

  get count(): number {
    return this.#lists.size;
  }

  /** The chain's name; it exists from now on. */
  use(direction: Direction, order: RuleOrder): string {
    const chain = listChain(direction, JSON.stringify(order));
    const known = this.#lists.get(chain);
    if (known !== undefined) {
      known.users += 1;
      return chain;
    }
    const profiles = [...new Set(order.profiles)].map((name) =>
      this.#rules.use({ kind: 'profile', name }, direction),
    );
    const tiers = order.tiers.map((tier) => this.useTier(direction, tier));
    this.#sink.putChain(chain, {
      rules: listRules({ direction, tiers, profiles, hostReach: this.#settings.hostReach }),
    });
    this.#lists.set(chain, {
      rules: profiles,
      tiers,
      users: 1,
      idleSince: 0,
    });
    return chain;
  }

  release(chain: string): void {
    const list = this.#lists.get(chain);
    if (list === undefined) return;
    list.users -= 1;
    if (list.users === 0) list.idleSince = this.#now();
  }

  /** Removes what nobody has used since `limit`. */
  tidy(limit: number): void {
    for (const [chain, list] of this.#lists) {
      if (list.users === 0 && list.idleSince <= limit) this.#drop(chain, list);
    }
  }

  #drop(chain: string, list: Shared): void {
    this.#lists.delete(chain);
    this.#sink.dropChain(chain);
    for (const name of list.rules) this.#rules.release(name, list.idleSince);
    for (const name of list.tiers) this.releaseTier(name, list.idleSince);
  }

  /** The chain of a tier's policies; it exists from now on. */
  useTier(direction: Direction, tier: TierList): string {
    const chain = tierChain(direction, JSON.stringify(tier));
    const known = this.#tiers.get(chain);
    if (known !== undefined) {
      known.users += 1;
      return chain;
    }
    const rules = tier.policies.map((name) => this.#rules.use({ kind: 'policy', name }, direction));
    this.#sink.putChain(chain, { rules: tierRules(tier, rules) });
    this.#tiers.set(chain, { rules, tiers: [], users: 1, idleSince: 0 });
    return chain;
  }

  releaseTier(chain: string, since: number): void {
    const tier = this.#tiers.get(chain);
    if (tier === undefined) return;
    tier.users -= 1;
    if (tier.users > 0) return;
    this.#tiers.delete(chain);
    this.#sink.dropChain(chain);
    for (const name of tier.rules) this.#rules.release(name, since);
  }
}
