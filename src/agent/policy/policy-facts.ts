import {
  Cidr,
  bitsOf,
  type Address,
  type NetworkPolicy,
  type Profile,
  type Tier,
} from '../../model/index.js';
import type { AppliedPolicies } from './applied-policies.js';
import type { HostAt, HostEndpoints } from './host-endpoints.js';
import type { LocalEndpoints, LocalPolicy } from './local-endpoints.js';
import type { RuleChains } from './rule-chains.js';
import type { EndpointFacts } from './selector-members.js';

/** Something that selectors see at an address. */
export interface FactsAt {
  /** An endpoint of a container or of a host, or a set of networks that the address is in. */
  readonly kind: 'endpoint' | 'host' | 'set';
  readonly facts: EndpointFacts;
}

/** What decides about an endpoint of this host. */
export interface DecidesAt {
  readonly id: string;
  readonly local: LocalPolicy;
  readonly policies: readonly NetworkPolicy[];
  readonly tiers: readonly Tier[];
}

/** What decides about traffic of this host at one of its interfaces. */
export type DecidesAtHost = HostAt & Pick<DecidesAt, 'policies' | 'tiers'>;

/** What was told, as a second opinion on single packets needs it: by address, and only what matters there. */
export class PolicyFacts {
  readonly #rules: RuleChains;
  readonly #applied: AppliedPolicies;
  readonly #locals: LocalEndpoints;
  readonly #hosts: HostEndpoints;
  /** Texts of a set's networks. */
  readonly #texts = new WeakMap<readonly Cidr[], ReadonlySet<string>>();

  constructor(parts: {
    readonly rules: RuleChains;
    readonly applied: AppliedPolicies;
    readonly locals: LocalEndpoints;
    readonly hosts: HostEndpoints;
  }) {
    this.#rules = parts.rules;
    this.#applied = parts.applied;
    this.#locals = parts.locals;
    this.#hosts = parts.hosts;
  }

  /** The endpoint of this host that has the address. */
  decidesAt(address: Address): DecidesAt | undefined {
    const found = this.#locals.at(address);
    if (found === undefined) return undefined;
    return { ...found, ...this.#appliedTo([found.id]) };
  }

  /** The interface of this host that has the address; undefined when the host has no host endpoint. */
  hostAt(address: Address): DecidesAtHost | undefined {
    const found = this.#hosts.at(address);
    return found && { ...found, ...this.#appliedTo(found.keys) };
  }

  #appliedTo(keys: readonly string[]): Pick<DecidesAt, 'policies' | 'tiers'> {
    const ids = new Set(keys.flatMap((key) => this.#applied.policiesOf(key)));
    const policies = [...ids].flatMap((id) => this.#rules.policy(id) ?? []);
    const tiers = [...new Set(policies.map(({ tier }) => tier))];
    return { policies, tiers: tiers.map((name) => this.#applied.tier(name)) };
  }

  /** An endpoint of this host has the address. */
  isLocal(address: Address): boolean {
    return this.#locals.at(address) !== undefined;
  }

  policy(id: string): NetworkPolicy | undefined {
    return this.#rules.policy(id);
  }

  profile(name: string): Profile | undefined {
    return this.#rules.profile(name);
  }

  /** Everything that selectors see at an address. */
  at(address: Address): readonly FactsAt[] {
    const { members } = this.#rules;
    const found: FactsAt[] = members.itemsAt(address).map(([key, facts]) => ({
      kind: key.startsWith('host ') ? 'host' : 'endpoint',
      facts,
    }));
    const prefixes = Array.from({ length: bitsOf(address.family) + 1 }, (_, prefix) =>
      String(Cidr.of(address, prefix)),
    );
    for (const facts of members.itemsWithNets()) {
      const texts = this.#textsOf(facts.nets ?? []);
      if (prefixes.some((text) => texts.has(text))) found.push({ kind: 'set', facts });
    }
    return found;
  }

  #textsOf(nets: readonly Cidr[]): ReadonlySet<string> {
    const known = this.#texts.get(nets) ?? new Set(nets.map(String));
    this.#texts.set(nets, known);
    return known;
  }
}
