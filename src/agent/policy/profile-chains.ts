import { families, type Profile, type Selector } from '../../model/index.js';
import type { RuleSink } from './ports.js';
import { renderRules } from './render-rule.js';
import { commentText, directions, profileChain, selectorSet } from './rule-names.js';
import type { SelectorMembers } from './selector-members.js';

interface Active {
  users: number;
  /** When the last user went; has no meaning while there are users. */
  idleSince: number;
  selectors: ReadonlySet<string>;
  problems: readonly string[];
}

/** One chain per profile and direction, and the sets that their rules name, while a list uses them. */
export class ProfileChains {
  readonly #sink: RuleSink;
  readonly #members: SelectorMembers;
  readonly #profiles = new Map<string, Profile>();
  readonly #active = new Map<string, Active>();
  readonly #selectorUsers = new Map<string, number>();
  readonly #refused = new Map<string, string>();

  constructor(sink: RuleSink, members: SelectorMembers) {
    this.#sink = sink;
    this.#members = members;
  }

  /** A profile was made, changed, or (undefined) removed. */
  set(name: string, profile: Profile | undefined): void {
    if (profile === undefined) this.#profiles.delete(name);
    else this.#profiles.set(name, profile);
    this.#refused.delete(name);
    this.#members.setProfileLabels(name, profile?.labelsToApply);
    this.#put(name);
  }

  has(name: string): boolean {
    return this.#profiles.has(name);
  }

  /** nft would not take this profile's rules: it admits nothing until it is changed. */
  refuse(name: string, reason: string): void {
    this.#refused.set(name, reason);
    this.#put(name);
  }

  use(name: string): void {
    const known = this.#active.get(name);
    if (known !== undefined) {
      known.users += 1;
      return;
    }
    this.#active.set(name, { users: 1, idleSince: 0, selectors: new Set(), problems: [] });
    this.#put(name);
  }

  release(name: string, since: number): void {
    const known = this.#active.get(name);
    if (known === undefined) return;
    known.users -= 1;
    if (known.users === 0) known.idleSince = since;
  }

  /** Removes what nobody has used since `limit`. */
  tidy(limit: number): void {
    for (const [name, active] of this.#active) {
      if (active.users > 0 || active.idleSince > limit) continue;
      this.#active.delete(name);
      for (const direction of directions) this.#sink.dropChain(profileChain(direction, name));
      this.#replaceSelectors(active, []);
    }
  }

  active(): readonly string[] {
    return [...this.#active.keys()];
  }

  /** What is not as the user wrote it and therefore admits nothing. */
  problems(): Record<string, readonly string[]> {
    const found: Record<string, readonly string[]> = {};
    for (const [name, { problems, users }] of this.#active) {
      if (users > 0 && problems.length > 0) found[name] = problems;
    }
    return found;
  }

  #put(name: string): void {
    const active = this.#active.get(name);
    if (active === undefined) return;
    const profile = this.#profiles.get(name);
    const refused = this.#refused.get(name);
    if (profile === undefined || refused !== undefined) {
      const reason = refused ?? `profile ${name} does not exist`;
      const rules = [`counter drop comment "${commentText(reason)}"`];
      for (const direction of directions) {
        this.#sink.putChain(profileChain(direction, name), { rules });
      }
      active.problems = [reason];
      this.#replaceSelectors(active, []);
      return;
    }
    const problems: string[] = [];
    const selectors: Selector[] = [];
    for (const direction of directions) {
      const rendered = renderRules(profile[direction], `${name} ${direction}`);
      this.#sink.putChain(profileChain(direction, name), { rules: rendered.rules });
      selectors.push(...rendered.selectors);
      problems.push(...rendered.problems.map((problem) => `${direction} ${problem}`));
    }
    active.problems = problems;
    this.#replaceSelectors(active, selectors);
  }

  /** Identical selectors of several profiles share their two sets. */
  #replaceSelectors(active: Active, selectors: readonly Selector[]): void {
    const next = new Map(selectors.map((selector) => [selector.id, selector]));
    for (const [id, selector] of next) {
      if (active.selectors.has(id)) continue;
      const users = this.#selectorUsers.get(id) ?? 0;
      this.#selectorUsers.set(id, users + 1);
      if (users === 0) this.#watch(selector);
    }
    for (const id of active.selectors) {
      if (next.has(id)) continue;
      const users = (this.#selectorUsers.get(id) ?? 1) - 1;
      if (users > 0) this.#selectorUsers.set(id, users);
      else this.#unwatch(id);
    }
    active.selectors = new Set(next.keys());
  }

  #watch(selector: Selector): void {
    for (const family of families) {
      this.#sink.putSet(selectorSet(family, selector.id), {
        kind: 'set',
        type: `ipv${family}_addr`,
        comment: commentText(selector.text),
      });
    }
    this.#members.watch(selector);
  }

  #unwatch(id: string): void {
    this.#selectorUsers.delete(id);
    this.#members.unwatch(id);
    for (const family of families) this.#sink.dropSet(selectorSet(family, id));
  }
}
