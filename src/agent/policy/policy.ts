import {
  Address,
  type HostEndpoint,
  type NetworkPolicy,
  type NetworkSet,
  type Profile,
  type Tier,
  type EncapsulationInUse,
} from '../../model/index.js';
import { NAMESPACE_LABEL } from '../../model/v3/index.js';
import { AppliedPolicies } from './applied-policies.js';
import type { AskedList } from './asked-chains.js';
import { putBase } from './base-chains.js';
import { HostEndpoints, type HostSettings } from './host-endpoints.js';
import { ListChains } from './list-chains.js';
import type { KeptChains, ListSettings } from './rule-order.js';
import { LocalEndpoints, type LocalPolicy } from './local-endpoints.js';
import type { RuleSink } from './ports.js';
import type { HostInterface } from './resolve-hosts.js';
import { NodeReach } from './node-reach.js';
import { PolicyFacts } from './policy-facts.js';
import { ownLabels } from './scoped-selector.js';
import { RuleChains, type Owner, type PolicyChain } from './rule-chains.js';
import { endpointKey, type EndpointFacts } from './selector-members.js';
import { TierChains } from './tier-chains.js';

export interface PolicySettings extends ListSettings {
  /** Until `begin` no endpoint is reachable: policies not known yet may forbid it. */
  readonly waits?: boolean;
}

export interface PolicyCounts {
  /** Endpoints and network sets of the whole cluster that selectors look at. */
  readonly endpoints: number;
  readonly locals: number;
  /** Distinct ordered lists of tiers and profiles, each direction counted. */
  readonly lists: number;
  /** Chains of profiles and policies. */
  readonly ruleChains: number;
  /** Sets that rules name, both families as one. */
  readonly selectors: number;
}

/**
 * The policy of this host as rules in a sink, kept by deltas: what a change costs is in what it touches.
 * After `tidy` the sink's content depends on the facts told, not on their order, but for lists' names.
 */
export class Policy {
  readonly #now: () => number;
  readonly #rules: RuleChains;
  readonly #lists: ListChains;
  readonly #applied = new AppliedPolicies();
  readonly #hosts: HostEndpoints;
  readonly #nodes: NodeReach;
  #revision = 0;
  #encapsulated = false;
  readonly #locals: LocalEndpoints;
  /** What was told, by address. */
  readonly facts: PolicyFacts;
  #announce = (): void => undefined;
  /** Settles with `begin`. */
  readonly begun = new Promise<void>((resolve) => (this.#announce = resolve));

  /** `now`: any milliseconds that grow, for `tidy`. */
  constructor(sink: RuleSink, settings: PolicySettings, now: () => number) {
    this.#now = now;
    putBase(sink);
    this.#nodes = new NodeReach(sink, settings.hostReach);
    const applied = this.#applied;
    const rules = (this.#rules = new RuleChains(sink));
    const tiers = new TierChains(sink, rules);
    this.#lists = new ListChains({ sink, rules, tiers }, settings, now);
    this.#locals = new LocalEndpoints(sink, this.#lists, applied, settings.waits === true);
    this.#hosts = new HostEndpoints({ sink, rules, tiers, applied, now });
    this.facts = new PolicyFacts({ rules, applied, locals: this.#locals, hosts: this.#hosts });
    if (settings.waits === true) rules.members.hold();
  }

  get counts(): PolicyCounts {
    return {
      endpoints: this.#rules.members.itemCount,
      locals: this.#locals.count,
      lists: this.#lists.count,
      ruleChains: this.#rules.count,
      selectors: this.#rules.members.setCount,
    };
  }

  /** Profiles and policies that are not as the user wrote them and therefore deny, with the reasons. */
  closed(): readonly (Owner & { readonly problems: readonly string[] })[] {
    return this.#rules.problems();
  }

  /** Policies that count as absent, each with why. */
  get unusable(): ReadonlyMap<string, string> {
    return this.#applied.unusable;
  }

  /** Tiers that policies name and that do not exist, each with the policies. */
  missingTiers(): ReadonlyMap<string, readonly string[]> {
    return this.#applied.missingTiers();
  }

  /** All policies that there are have been told. */
  begin(kept?: KeptChains): void {
    if (!this.waiting) return;
    this.#revision += 1;
    this.#rules.members.release();
    this.#locals.begin(kept);
    this.#announce();
  }

  /** Grows with every change that may forbid what was allowed; endpoints that come and go are none. */
  get revision(): number {
    return this.#revision;
  }

  /** Endpoints are reachable only after `begin`. */
  get waiting(): boolean {
    return this.#locals.waiting;
  }

  /** A profile was made, changed, or (undefined) removed. */
  setProfile(name: string, profile: Profile | undefined): void {
    this.#revision += 1;
    this.#rules.setProfile(name, profile);
    this.#renew(this.#applied.setProfileLabels(name, profile?.labelsToApply));
  }

  /** A policy was made, changed, or (undefined) removed. @param id `name`, or `namespace/name` */
  setPolicy(id: string, policy: NetworkPolicy | undefined): void {
    this.#revision += 1;
    this.#rules.setPolicy(id, policy);
    this.#renew(this.#applied.setPolicy(id, policy));
  }

  /** A tier was made, changed, or (undefined) removed. */
  setTier(name: string, tier: Tier | undefined): void {
    this.#revision += 1;
    this.#renew(this.#applied.setTier(name, tier));
  }

  /** The chains that an endpoint's packets meet here; undefined when it is not of this host. */
  asked(kind: 'workload' | 'host', id: string): readonly AskedList[] | undefined {
    return kind === 'host' ? this.#hosts.asked(id) : this.#locals.asked(id);
  }

  /** The chains of policies that there are now. */
  policyChains(): Iterable<PolicyChain> {
    return this.#rules.policyChains();
  }

  /** nft would not take these rules: they deny until they are changed. */
  refuse(owner: Owner, reason: string): void {
    this.#rules.refuse(owner, reason);
  }

  /** Profiles and policies that have chains now. */
  owners(): readonly Owner[] {
    return this.#rules.owners();
  }

  /** Only the chains of these, for nft to check them alone. */
  putAlone(sink: RuleSink, owners: readonly Owner[]): void {
    this.#rules.putAlone(sink, owners);
  }

  /** Any endpoint of the cluster, for the selectors; undefined when it went. */
  setEndpoint(key: string, facts: EndpointFacts | undefined): void {
    const own = facts && { ...facts, labels: ownLabels(facts.labels) };
    if (this.#rules.members.setItem(endpointKey(key), own)) this.#revision += 1;
  }

  /** Networks that selectors match by their labels; undefined when they went. */
  setNetworkSet(key: string, set: NetworkSet | undefined): void {
    const { namespace } = set ?? {};
    const where = namespace === undefined ? {} : { [NAMESPACE_LABEL]: namespace };
    const facts = set && {
      labels: { ...set.labels, ...where },
      profiles: namespace === undefined ? [] : [`kns.${namespace}`],
      addresses: [],
      nets: set.nets,
    };
    this.#revision += 1;
    this.#rules.members.setItem(`set ${key}`, facts);
  }

  /** An endpoint of a host of the cluster; `local`: of this one. Undefined when it went. */
  setHostEndpoint(id: string, endpoint: HostEndpoint | undefined, local: boolean): void {
    const addresses = (endpoint?.expectedIPs ?? []).map((text) => Address.tryParse(text));
    const facts = endpoint && {
      ...endpoint,
      addresses: addresses.filter((one) => one !== undefined),
    };
    this.#rules.members.setItem(`host ${id}`, facts);
    this.#hosts.set(id, local ? endpoint : undefined);
    if (local) this.#revision += 1;
    this.#nodes.setTunnels(this.#encapsulated && this.#hosts.count > 0);
  }

  /** Host endpoints of this host; without any, its interfaces do not matter. */
  get hostEndpoints(): { readonly count: number; readonly unused: readonly string[] } {
    return this.#hosts;
  }

  /** The interfaces of this host, those of containers left out. */
  setInterfaces(interfaces: readonly HostInterface[]): void {
    this.#hosts.setInterfaces(interfaces);
  }

  setHostSettings(settings: HostSettings): void {
    this.#hosts.setSettings(settings);
    this.#revision += 1;
  }

  /** Tunnels between the hosts, which host endpoints let pass and containers must not speak. */
  setEncapsulation(encapsulation: EncapsulationInUse): void {
    this.#encapsulated = encapsulation.ipip || encapsulation.vxlanPort !== undefined;
    this.#hosts.setEncapsulation(encapsulation);
    this.#nodes.setTunnels(this.#encapsulated && this.#hosts.count > 0);
  }

  /** Addresses of all hosts. */
  setNodeAddresses(addresses: readonly Address[]): void {
    this.#nodes.setAddresses(addresses);
  }

  /** Addresses, as text, that reach all containers: of all hosts, when those do. */
  get trusted(): ReadonlySet<string> {
    return this.#nodes.trusted;
  }

  /** An endpoint of this host is to be reachable, or (undefined) is gone. */
  setLocal(id: string, next: LocalPolicy | undefined): void {
    if (this.#locals.set(id, next)) this.#revision += 1;
  }

  /** Removes chains and sets that nobody has used for this long. */
  tidy(idleMs: number): void {
    const limit = this.#now() - idleMs;
    this.#locals.tidy(limit);
    this.#rules.tidy(limit);
  }

  #renew(keys: Iterable<string>): void {
    const all = [...keys];
    this.#locals.renew(all);
    this.#hosts.renew(all);
  }
}
