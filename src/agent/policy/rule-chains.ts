import type { NetworkPolicy, Profile } from '../../model/index.js';
import type { MemberSet } from './member-set.js';
import { isAutomatic } from '../../model/v3/index.js';
import { OPEN_PORTS, putOpenSets } from './open-ports.js';
import type { RuleSink } from './ports.js';
import { renderRules, type RenderedRules, type SetNames } from './render-rule.js';
import {
  commentText,
  directions,
  policyChain,
  profileChain,
  type Direction,
} from './rule-names.js';
import { SelectorMembers } from './selector-members.js';

/** What has rules of its own: a profile by name, a policy by ID. */
export interface Owner {
  readonly kind: 'profile' | 'policy';
  readonly name: string;
}

export interface PolicyChain {
  readonly chain: string;
  readonly direction: Direction;
  /** Its ID. */
  readonly policy: string;
}

interface Active {
  readonly owner: Owner;
  readonly direction: Direction;
  users: number;
  /** When the last user went; has no meaning while there are users. */
  idleSince: number;
  sets: ReadonlySet<string>;
  problems: readonly string[];
}

/** One chain per profile or policy and direction, and the sets that their rules name, while they are used. */
export class RuleChains {
  readonly #sink: RuleSink;
  readonly #members: SelectorMembers;
  readonly #profiles = new Map<string, Profile>();
  readonly #policies = new Map<string, NetworkPolicy>();
  readonly #active = new Map<string, Active>();
  readonly #setUsers = new Map<string, Set<string>>();
  readonly #refused = new Map<string, string>();

  constructor(sink: RuleSink) {
    this.#sink = sink;
    this.#members = new SelectorMembers(sink, (setId) => {
      for (const chain of this.#setUsers.get(setId) ?? []) this.#put(chain);
    });
  }

  /** The sets that rules name. */
  get members(): SelectorMembers {
    return this.#members;
  }

  get count(): number {
    return this.#active.size;
  }

  /** A profile was made, changed, or (undefined) removed. */
  setProfile(name: string, profile: Profile | undefined): void {
    if (profile === undefined) this.#profiles.delete(name);
    else this.#profiles.set(name, profile);
    this.#members.setProfileLabels(name, profile?.labelsToApply);
    this.#changed({ kind: 'profile', name });
  }

  /** A policy was made, changed, or (undefined) removed. */
  setPolicy(id: string, policy: NetworkPolicy | undefined): void {
    if (policy === undefined) this.#policies.delete(id);
    else this.#policies.set(id, policy);
    this.#changed({ kind: 'policy', name: id });
  }

  profile(name: string): Profile | undefined {
    return this.#profiles.get(name);
  }

  policy(id: string): NetworkPolicy | undefined {
    return this.#policies.get(id);
  }

  /** nft would not take its rules: it denies everything until it is changed. */
  refuse(owner: Owner, reason: string): void {
    this.#refused.set(keyOf(owner), reason);
    this.#putBoth(owner);
  }

  /** The chain's name; it exists from now on. */
  use(owner: Owner, direction: Direction): string {
    const chain = chainOf(owner, direction);
    const known = this.#active.get(chain);
    if (known !== undefined) {
      known.users += 1;
      return chain;
    }
    const fresh = { owner, direction, users: 1, idleSince: 0, problems: [] };
    this.#active.set(chain, { ...fresh, sets: new Set() });
    this.#put(chain);
    return chain;
  }

  release(chain: string, since: number): void {
    const known = this.#active.get(chain);
    if (known === undefined) return;
    known.users -= 1;
    if (known.users === 0) known.idleSince = since;
  }

  /** Removes what nobody has used since `limit`. */
  tidy(limit: number): void {
    for (const [chain, active] of this.#active) {
      if (active.users > 0 || active.idleSince > limit) continue;
      this.#active.delete(chain);
      this.#sink.dropChain(chain);
      this.#leaveSets(chain, active.sets);
    }
  }

  /** Those that have chains now. */
  owners(): readonly Owner[] {
    const owners = new Map([...this.#active.values()].map(({ owner }) => [keyOf(owner), owner]));
    return [...owners.values()];
  }

  /** The chains of policies that there are now, each with the policy's ID and direction. */
  *policyChains(): Generator<PolicyChain> {
    for (const [chain, { owner, direction }] of this.#active) {
      if (owner.kind === 'policy') yield { chain, direction, policy: owner.name };
    }
  }

  /** What is not as the user wrote it and therefore denies. */
  problems(): readonly (Owner & { readonly problems: readonly string[] })[] {
    const found = new Map<string, Owner & { readonly problems: string[] }>();
    for (const { owner, direction, problems, users } of this.#active.values()) {
      if (users === 0 || problems.length === 0) continue;
      const entry = found.get(keyOf(owner)) ?? { ...owner, problems: [] };
      for (const problem of problems) {
        const text = problem.startsWith('rule ') ? `${direction} ${problem}` : problem;
        if (!entry.problems.includes(text)) entry.problems.push(text);
      }
      found.set(keyOf(owner), entry);
    }
    return [...found.values()];
  }

  /** Only these owners' chains, their sets empty: for nft to check them alone. */
  putAlone(sink: RuleSink, owners: readonly Owner[]): void {
    const alone = new RuleChains(sink);
    putOpenSets(sink);
    for (const { kind, name } of owners) {
      if (kind === 'profile') alone.setProfile(name, this.#profiles.get(name));
      else alone.setPolicy(name, this.#policies.get(name));
      for (const direction of directions) alone.use({ kind, name }, direction);
    }
  }

  #changed(owner: Owner): void {
    this.#refused.delete(keyOf(owner));
    this.#putBoth(owner);
  }

  #putBoth(owner: Owner): void {
    for (const direction of directions) this.#put(chainOf(owner, direction));
  }

  #put(chain: string): void {
    const active = this.#active.get(chain);
    if (active === undefined) return;
    const { rendered, closed, problems } = this.#content(active.owner, active.direction);
    const previous = active.sets;
    const wanted = new Map((rendered?.sets ?? []).map((set) => [set.id, set]));
    for (const set of wanted.values()) if (!previous.has(set.id)) this.#enterSet(chain, set);
    active.sets = new Set(wanted.keys());
    active.problems = problems;
    const namesOf: SetNames = (set, family) => this.#members.namesOf(set.id, family);
    const rules = rendered?.rules(namesOf) ?? [`counter drop comment "${commentText(closed)}"`];
    const opens = rendered !== undefined && this.#opensPorts(active);
    this.#sink.putChain(chain, { rules: [...(opens ? OPEN_PORTS : []), ...rules] });
    this.#leaveSets(chain, new Set([...previous].filter((id) => !wanted.has(id))));
  }

  #opensPorts({ owner: { kind, name }, direction }: Active): boolean {
    const profile = kind === 'profile' ? this.#profiles.get(name) : undefined;
    return direction === 'ingress' && profile !== undefined && isAutomatic(profile);
  }

  /** The rules, or why everything is denied. */
  #content({ kind, name }: Owner, direction: Direction): Content {
    const refused = this.#refused.get(keyOf({ kind, name }));
    const source = kind === 'profile' ? this.#profiles.get(name) : this.#policies.get(name);
    if (source === undefined || refused !== undefined) {
      const reason = refused ?? `${kind} ${name} does not exist`;
      // A policy that went is asked by unused lists only.
      const gone = kind === 'policy' && refused === undefined;
      return { closed: reason, problems: gone ? [] : [reason] };
    }
    const label = kind === 'profile' ? name : `policy ${name}`;
    const { namespace, unsupported = [] } = source as Partial<NetworkPolicy>;
    const rendered = renderRules({
      ...{ rules: source[direction], owner: `${label} ${direction}`, kind },
      ...(namespace === undefined ? {} : { namespace }),
    });
    const problems = [...unsupported, ...rendered.problems];
    if (kind === 'profile' || problems.length === 0) return { rendered, closed: '', problems };
    return { closed: `${label} cannot be enforced`, problems };
  }

  #enterSet(chain: string, set: MemberSet): void {
    const users = this.#setUsers.get(set.id);
    if (users !== undefined) {
      users.add(chain);
      return;
    }
    this.#members.watch(set);
    this.#setUsers.set(set.id, new Set([chain]));
  }

  #leaveSets(chain: string, ids: ReadonlySet<string>): void {
    for (const id of ids) {
      const users = this.#setUsers.get(id);
      users?.delete(chain);
      if (users === undefined || users.size > 0) continue;
      this.#setUsers.delete(id);
      this.#members.unwatch(id);
    }
  }
}

interface Content {
  readonly rendered?: RenderedRules;
  readonly closed: string;
  readonly problems: readonly string[];
}

const keyOf = ({ kind, name }: Owner): string => `${kind} ${name}`;

const chainOf = ({ kind, name }: Owner, direction: Direction): string =>
  kind === 'profile' ? profileChain(direction, name) : policyChain(direction, name);
