import type { TierList } from './applied-policies.js';
import type { ListSettings, Moved, RuleOrder, Wanted } from './rule-order.js';
import { listRules } from './list-rules.js';
import type { RuleSink } from './ports.js';
import type { RuleChains } from './rule-chains.js';
import { directions, isListChain, listChain, type Direction } from './rule-names.js';
import type { TierChains } from './tier-chains.js';

interface List {
  readonly chain: string;
  readonly direction: Direction;
  order: RuleOrder;
  text: string;
  /** Chains of rules and of tiers that this one's rules jump to. */
  rules: readonly string[];
  tiers: readonly string[];
  readonly users: Set<string>;
  idleSince: number;
}

interface Part {
  readonly order: RuleOrder;
  readonly users: string[];
}

const MOST_MOVED = 64;
/** Of lists that came to be the same, so many endpoints go over to one of them per `tidy`. */
const MOST_MERGED = 256;

/**
 * One chain per distinct list of tiers and profiles and direction, shared by the endpoints that have
 * it. Chains that lost their last endpoint stay a while: the next container often wants them. When
 * most endpoints of a chain get the same other list, as when a policy that selects them comes or goes,
 * the chain is rewritten and they stay where they are: nft takes 15 µs for each that moves. So two
 * chains may say the same for a while.
 */
export class ListChains {
  readonly #sink: RuleSink;
  readonly #rules: RuleChains;
  readonly #tiers: TierChains;
  readonly #settings: ListSettings;
  readonly #now: () => number;
  readonly #lists = new Map<string, List>();
  readonly #byOrder = new Map<string, Set<List>>();
  /** Of orders that are told again and again. */
  readonly #texts = new WeakMap<readonly TierList[], Map<string, string>>();
  #made = 0;

  constructor(
    parts: { readonly sink: RuleSink; readonly rules: RuleChains; readonly tiers: TierChains },
    settings: ListSettings,
    now: () => number,
  ) {
    this.#sink = parts.sink;
    this.#rules = parts.rules;
    this.#tiers = parts.tiers;
    this.#settings = settings;
    this.#now = now;
  }

  get count(): number {
    return this.#lists.size;
  }

  /** The chain for a user who has `current` until now, or none; it exists from now on. */
  use(direction: Direction, order: RuleOrder, user: string, current?: string): string {
    const text = this.#textOf(direction, order);
    if (current !== undefined && this.#lists.get(current)?.text === text) return current;
    const same = [...(this.#byOrder.get(text) ?? [])];
    const largest = same.sort((left, right) => right.users.size - left.users.size)[0];
    const list = largest ?? this.#create(direction, order, text);
    list.users.add(user);
    return list.chain;
  }

  /**
   * As `use`, for a user whom an earlier life sent to `kept`: the chain gets that name when this is its
   * first user, so that a table which is as it should be says so to the letter.
   */
  useKept(direction: Direction, order: RuleOrder, user: string, kept: string | undefined): string {
    if (kept === undefined || !isListChain(direction, kept)) {
      return this.use(direction, order, user);
    }
    const text = this.#textOf(direction, order);
    const list = this.#lists.get(kept) ?? this.#create(direction, order, text, kept);
    if (list.text !== text) return this.use(direction, order, user);
    list.users.add(user);
    return kept;
  }

  release(chain: string, user: string): void {
    const list = this.#lists.get(chain);
    if (list?.users.delete(user) === true && list.users.size === 0) list.idleSince = this.#now();
  }

  /** Gives users other orders; those that have another chain now, which may be others than these. */
  move(direction: Direction, wanted: Iterable<Wanted>): Moved {
    const moved = new Map<string, string>();
    const leaving = new Map<List, Map<string, Part>>();
    for (const { user, chain, order } of wanted) {
      const list = this.#lists.get(chain);
      const text = this.#textOf(direction, order);
      if (list?.text === text) continue;
      if (list === undefined) {
        moved.set(user, this.use(direction, order, user));
        continue;
      }
      const parts = leaving.get(list) ?? new Map<string, Part>();
      const part = parts.get(text) ?? { order, users: [] };
      part.users.push(user);
      leaving.set(list, parts.set(text, part));
    }
    const rewritten = [...leaving].filter(([list, parts]) =>
      this.#divide(list, [...parts.values()], moved),
    );
    // Only when all have left: those who are yet to leave another list must not be taken along.
    for (const [list] of rewritten) this.#joinAlike(list, moved);
    return moved;
  }

  /** Removes what nobody has used since `limit`; tells of users that have another chain now. */
  tidy(limit: number, onMoved: (direction: Direction, moved: Moved) => void): void {
    const moved = { ingress: new Map<string, string>(), egress: new Map<string, string>() };
    for (const same of this.#byOrder.values()) {
      const [largest, ...others] = [...same].sort((a, b) => b.users.size - a.users.size);
      if (largest === undefined) continue;
      const done = moved[largest.direction];
      for (const other of others) this.#merge(other, largest, done, MOST_MERGED - done.size);
    }
    for (const direction of directions) onMoved(direction, moved[direction]);
    for (const list of this.#lists.values()) {
      if (list.users.size === 0 && list.idleSince <= limit) this.#drop(list);
    }
  }

  /** Some users leave a list, each part for another order. The largest part keeps the chain: true when it is rewritten. */
  #divide(list: List, parts: readonly Part[], moved: Map<string, string>): boolean {
    const leaving = new Set(parts.flatMap(({ users }) => users));
    const [largest] = [...parts].sort((left, right) => right.users.length - left.users.length);
    const stays = list.users.size - leaving.size;
    const most = this.#settings.mostMoved ?? MOST_MOVED;
    if (largest === undefined || leaving.size <= most || largest.users.length <= stays) {
      for (const part of parts) this.#leave(list, part, moved);
      return false;
    }
    const users = [...list.users].filter((user) => !leaving.has(user));
    const staying = { order: list.order, users };
    this.#rewrite(list, largest.order);
    for (const part of [...parts, staying]) if (part !== largest) this.#leave(list, part, moved);
    return true;
  }

  /** What few users of another chain with the same order have this one now, or its few have the other. */
  #joinAlike(list: List, moved: Map<string, string>): void {
    const most = this.#settings.mostMoved ?? MOST_MOVED;
    for (const other of this.#byOrder.get(list.text) ?? []) {
      const [from, to] = other.users.size < list.users.size ? [other, list] : [list, other];
      if (other !== list && from.users.size <= most) this.#merge(from, to, moved, most);
    }
  }

  #leave(list: List, { order, users }: Part, moved: Map<string, string>): void {
    for (const user of users) {
      moved.set(user, this.use(list.direction, order, user));
      this.release(list.chain, user);
    }
  }

  #merge(from: List, to: List, moved: Map<string, string>, most: number): void {
    for (const user of [...from.users].slice(0, Math.max(0, most))) {
      this.release(from.chain, user);
      to.users.add(user);
      moved.set(user, to.chain);
    }
  }

  #create(
    direction: Direction,
    order: RuleOrder,
    text: string,
    chain = this.#name(direction),
  ): List {
    const list: List = {
      ...{ chain, direction, order, text, rules: [], tiers: [] },
      ...{ users: new Set<string>(), idleSince: this.#now() },
    };
    this.#lists.set(chain, list);
    this.#write(list);
    return list;
  }

  #name(direction: Direction): string {
    this.#made += 1;
    const name = listChain(direction, `${this.#settings.life ?? ''}${this.#made}`);
    // One that an earlier life named, when clocks went back.
    return this.#lists.has(name) ? this.#name(direction) : name;
  }

  #rewrite(list: List, order: RuleOrder): void {
    const { rules, tiers } = list;
    this.#forgetOrder(list);
    list.order = order;
    list.text = this.#textOf(list.direction, order);
    // What it uses from now on is used before what it used is not: chains of both never go.
    this.#write(list);
    this.#releaseChains({ rules, tiers }, this.#now());
  }

  #write(list: List): void {
    const { chain, direction, order, text } = list;
    list.rules = [...new Set(order.profiles)].map((name) =>
      this.#rules.use({ kind: 'profile', name }, direction),
    );
    list.tiers = order.tiers.map((tier) => this.#tiers.use(direction, tier));
    const { hostReach } = this.#settings;
    const content = { direction, tiers: list.tiers, profiles: list.rules, hostReach };
    this.#sink.putChain(chain, { rules: listRules(content) });
    this.#byOrder.set(text, (this.#byOrder.get(text) ?? new Set()).add(list));
  }

  #drop(list: List): void {
    this.#lists.delete(list.chain);
    this.#forgetOrder(list);
    this.#sink.dropChain(list.chain);
    this.#releaseChains(list, list.idleSince);
  }

  #forgetOrder(list: List): void {
    const same = this.#byOrder.get(list.text);
    same?.delete(list);
    if (same?.size === 0) this.#byOrder.delete(list.text);
  }

  #releaseChains({ rules, tiers }: Pick<List, 'rules' | 'tiers'>, since: number): void {
    for (const chain of rules) this.#rules.release(chain, since);
    for (const chain of tiers) this.#tiers.release(chain, since);
  }

  #textOf(direction: Direction, { tiers, profiles }: RuleOrder): string {
    const key = `${direction} ${profiles.length === 1 ? profiles[0] : profiles.join('\0')}`;
    const texts = this.#texts.get(tiers) ?? new Map<string, string>();
    this.#texts.set(tiers, texts);
    const text = texts.get(key) ?? JSON.stringify([direction, tiers, profiles]);
    texts.set(key, text);
    return text;
  }
}
