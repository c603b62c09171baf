import { families, type Address, type Profile } from '../../model/index.js';
import { listRules, putBase } from './base-chains.js';
import type { RuleSink } from './ports.js';
import { ProfileChains } from './profile-chains.js';
import {
  directions,
  FROM_WORKLOAD,
  listChain,
  nodeSet,
  profileChain,
  selectorSet,
  TO_WORKLOAD,
} from './rule-names.js';
import { SelectorMembers, type EndpointFacts } from './selector-members.js';
import { SourceGuard } from './source-guard.js';

export interface PolicySettings {
  /** `all`: every host of the cluster reaches the containers; `own`: only the host they run on. */
  readonly hostReach: 'own' | 'all';
}

/** An endpoint whose interface is on this host. */
export interface LocalPolicy {
  readonly interfaceName: string;
  readonly addresses: readonly Address[];
  readonly profiles: readonly string[];
  /** Endpoints of one sandbox may use each other's addresses; empty when not known. */
  readonly sandboxKey: string;
}

export interface PolicyCounts {
  /** Endpoints of the whole cluster that selectors look at. */
  readonly endpoints: number;
  readonly locals: number;
  /** Distinct ordered lists of profiles. */
  readonly lists: number;
  readonly profiles: number;
  readonly selectors: number;
}

interface List {
  readonly profiles: readonly string[];
  users: number;
  idleSince: number;
}

/**
 * The policy of this host as rules in a sink, kept by deltas: what a call costs does not grow with
 * the number of endpoints. After `tidy` the sink's content depends on the facts told, not on their
 * order. Chains that lost their last endpoint stay a while: the next container often wants them.
 */
export class Policy {
  readonly #sink: RuleSink;
  readonly #settings: PolicySettings;
  readonly #now: () => number;
  readonly #members: SelectorMembers;
  readonly #sources: SourceGuard;
  readonly #profiles: ProfileChains;
  readonly #locals = new Map<string, LocalPolicy>();
  readonly #ownerOf = new Map<string, string>();
  readonly #lists = new Map<string, List>();

  /** `now`: any milliseconds that grow, for `tidy`. */
  constructor(sink: RuleSink, settings: PolicySettings, now: () => number) {
    this.#sink = sink;
    this.#settings = settings;
    this.#now = now;
    this.#members = new SelectorMembers({
      onJoin: (id, address) => sink.addElement(selectorSet(address.family, id), String(address)),
      onLeave: (id, address) =>
        sink.removeElement(selectorSet(address.family, id), String(address)),
    });
    putBase(sink);
    this.#sources = new SourceGuard(sink);
    this.#profiles = new ProfileChains(sink, this.#members);
  }

  get counts(): PolicyCounts {
    return {
      endpoints: this.#members.endpointCount,
      locals: this.#locals.size,
      lists: this.#lists.size,
      profiles: this.#profiles.active().length,
      selectors: this.#members.selectorCount,
    };
  }

  /** What is not as the user wrote it and therefore admits nothing: profile name → reasons. */
  problems(): Record<string, readonly string[]> {
    return this.#profiles.problems();
  }

  hasProfile(name: string): boolean {
    return this.#profiles.has(name);
  }

  /** A profile was made, changed, or (undefined) removed. */
  setProfile(name: string, profile: Profile | undefined): void {
    this.#profiles.set(name, profile);
  }

  /** nft would not take this profile's rules: it admits nothing until it is changed. */
  refuseProfile(name: string, reason: string): void {
    this.#profiles.refuse(name, reason);
  }

  /** Profiles that have chains now. */
  activeProfiles(): readonly string[] {
    return this.#profiles.active();
  }

  /** Any endpoint of the cluster, for the selectors; undefined when it went. */
  setEndpoint(key: string, facts: EndpointFacts | undefined): void {
    this.#members.setEndpoint(key, facts);
  }

  setNodeAddresses(addresses: readonly Address[]): void {
    if (this.#settings.hostReach === 'own') return;
    for (const family of families) {
      const own = addresses.filter((address) => address.family === family).map(String);
      this.#sink.replaceElements(nodeSet(family), [...new Set(own)].sort());
    }
  }

  /** An endpoint of this host is to be reachable, or (undefined) is gone. */
  setLocal(id: string, next: LocalPolicy | undefined): void {
    const previous = this.#locals.get(id);
    if (next !== undefined) this.#useList(next.profiles);
    if (previous !== undefined) {
      this.#locals.delete(id);
      this.#sources.remove(id);
      this.#undispatch(id, previous.interfaceName);
      this.#releaseList(previous.profiles);
    }
    if (next === undefined) return;
    this.#locals.set(id, next);
    this.#sources.add(id, next);
    this.#dispatch(id, next);
  }

  /** Removes chains and sets that nobody has used for this long. */
  tidy(idleMs: number): void {
    const limit = this.#now() - idleMs;
    for (const [key, list] of this.#lists) {
      if (list.users > 0 || list.idleSince > limit) continue;
      this.#lists.delete(key);
      for (const direction of directions) {
        this.#sink.dropChain(listChain(direction, list.profiles));
      }
      for (const name of new Set(list.profiles)) this.#profiles.release(name, list.idleSince);
    }
    this.#profiles.tidy(limit);
  }

  #dispatch(id: string, local: LocalPolicy): void {
    const key = `"${local.interfaceName}"`;
    this.#ownerOf.set(local.interfaceName, id);
    this.#sink.addElement(FROM_WORKLOAD, key, `goto ${listChain('egress', local.profiles)}`);
    this.#sink.addElement(TO_WORKLOAD, key, `goto ${listChain('ingress', local.profiles)}`);
  }

  /** An interface name that a newer endpoint has taken over stays with that one. */
  #undispatch(id: string, interfaceName: string): void {
    if (this.#ownerOf.get(interfaceName) !== id) return;
    this.#ownerOf.delete(interfaceName);
    for (const map of [FROM_WORKLOAD, TO_WORKLOAD]) {
      this.#sink.removeElement(map, `"${interfaceName}"`);
    }
  }

  #useList(profiles: readonly string[]): void {
    const key = JSON.stringify(profiles);
    const known = this.#lists.get(key);
    if (known !== undefined) {
      known.users += 1;
      return;
    }
    this.#lists.set(key, { profiles, users: 1, idleSince: 0 });
    const names = [...new Set(profiles)];
    for (const name of names) this.#profiles.use(name);
    for (const direction of directions) {
      const chains = names.map((name) => profileChain(direction, name));
      const rules = listRules(direction, chains, this.#settings.hostReach);
      this.#sink.putChain(listChain(direction, profiles), { rules });
    }
  }

  #releaseList(profiles: readonly string[]): void {
    const list = this.#lists.get(JSON.stringify(profiles));
    if (list === undefined) return;
    list.users -= 1;
    if (list.users === 0) list.idleSince = this.#now();
  }
}
