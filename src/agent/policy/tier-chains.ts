import type { TierList } from './applied-policies.js';
import { tierRules } from './list-rules.js';
import type { RuleSink } from './ports.js';
import type { RuleChains } from './rule-chains.js';
import { tierChain, type Direction } from './rule-names.js';

interface Tier {
  /** Chains of rules that it jumps to. */
  readonly rules: readonly string[];
  users: number;
}

/** One chain for the policies of a tier, in order, so that Pass leaves it in one step; lists share it. */
export class TierChains {
  readonly #sink: RuleSink;
  readonly #rules: RuleChains;
  readonly #tiers = new Map<string, Tier>();

  constructor(sink: RuleSink, rules: RuleChains) {
    this.#sink = sink;
    this.#rules = rules;
  }

  /** The chain's name; it exists from now on. */
  use(direction: Direction, tier: TierList): string {
    const chain = tierChain(direction, tier);
    const known = this.#tiers.get(chain);
    if (known !== undefined) {
      known.users += 1;
      return chain;
    }
    const rules = tier.policies.map((name) => this.#rules.use({ kind: 'policy', name }, direction));
    this.#sink.putChain(chain, { rules: tierRules(tier, rules) });
    this.#tiers.set(chain, { rules, users: 1 });
    return chain;
  }

  /** One user less, who went at `since`. */
  release(chain: string, since: number): void {
    const tier = this.#tiers.get(chain);
    if (tier === undefined) return;
    tier.users -= 1;
    if (tier.users > 0) return;
    this.#tiers.delete(chain);
    this.#sink.dropChain(chain);
    for (const name of tier.rules) this.#rules.release(name, since);
  }
}
