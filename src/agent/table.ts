import { invariant } from '../base/index.js';
import type { Chain, RuleSink, SetShape } from './policy/index.js';
import {
  addChainLine,
  blocks,
  elementsLine,
  familyOf,
  familiesOf,
  goneOf,
  sameChain,
  textOf,
  withFirstRule,
  type DesiredSet,
} from './table-text.js';

const ABSENT = Symbol('absent');
type Before = string | typeof ABSENT;

/**
 * The agent's nftables table as it is wanted. It renders itself whole, as one transaction that
 * replaces whatever was there, and as the difference to what was rendered last. It never reads the
 * kernel: when a transaction fails, or somebody else changed the table, the whole is right again.
 */
export class DesiredTable implements RuleSink {
  readonly name: string;
  readonly #chains = new Map<string, Chain>();
  readonly #sets = new Map<string, DesiredSet>();
  /** Changed since last rendered: did the chain or set exist then, what was the element's value. */
  readonly #changedChains = new Map<string, boolean>();
  readonly #changedSets = new Map<string, boolean>();
  readonly #changedElements = new Map<string, Map<string, Before>>();
  readonly #refilled = new Set<string>();
  readonly #changes = [
    ...[this.#changedChains, this.#changedSets, this.#changedElements, this.#refilled],
  ] as const;

  constructor(name: string) {
    this.name = name;
  }

  get chains(): ReadonlyMap<string, Chain> {
    return this.#chains;
  }

  get sets(): ReadonlyMap<string, DesiredSet> {
    return this.#sets;
  }

  putChain(name: string, chain: Chain): void {
    const known = this.#chains.get(name);
    if (known !== undefined && sameChain(known, chain)) return;
    if (!this.#changedChains.has(name)) this.#changedChains.set(name, known !== undefined);
    this.#chains.set(name, chain);
  }

  dropChain(name: string): void {
    if (!this.#chains.delete(name)) return;
    if (!this.#changedChains.has(name)) this.#changedChains.set(name, true);
  }

  putSet(name: string, shape: SetShape): void {
    if (this.#sets.has(name)) return;
    if (!this.#changedSets.has(name)) this.#changedSets.set(name, false);
    this.#sets.set(name, { shape, elements: new Map() });
  }

  dropSet(name: string): void {
    const set = this.#sets.get(name);
    if (set === undefined) return;
    for (const key of [...set.elements.keys()]) this.removeElement(name, key);
    if (!this.#changedSets.has(name)) this.#changedSets.set(name, true);
    this.#sets.delete(name);
  }

  addElement(name: string, key: string, value = ''): void {
    const set = this.#set(name);
    const known = set.elements.get(key);
    if (known === value) return;
    this.#remember(name, key, known ?? ABSENT);
    set.elements.set(key, value);
  }

  removeElement(name: string, key: string): void {
    const set = this.#set(name);
    const known = set.elements.get(key);
    if (known === undefined) return;
    this.#remember(name, key, known);
    set.elements.delete(key);
  }

  replaceElements(name: string, keys: readonly string[]): void {
    const { elements } = this.#set(name);
    if (elements.size === keys.length && keys.every((key) => elements.has(key))) return;
    elements.clear();
    for (const key of keys) elements.set(key, '');
    this.#refilled.add(name);
  }

  /** Nothing changed since it was last rendered. */
  get clean(): boolean {
    return this.#changes.every(({ size }) => size === 0);
  }

  /**
   * The kernel has these chains, and these sets with their elements, which nobody wants and nothing that is
   * wanted names: the next difference removes them.
   */
  disown(chains: readonly string[], sets: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    for (const name of chains) this.#changedChains.set(name, true);
    for (const [name, elements] of sets) {
      this.#changedSets.set(name, true);
      for (const [key, value] of elements) this.#remember(name, key, value);
    }
  }

  /**
   * One transaction after which the kernel has this table, whatever it had before; never a moment without.
   * `first` has rules by chain, each before all others of its chain: `chainsAnew` takes them out again.
   */
  takeFull(first: ReadonlyMap<string, string> = new Map()): string {
    this.#forget();
    const sets = [...this.#sets];
    const chains = withFirstRule([...this.#chains], first);
    const lines = familiesOf(sets, chains).flatMap((family) => [
      `add table ${family} ${this.name}`,
      `delete table ${family} ${this.name}`,
    ]);
    lines.push(...blocks(this.name, sets, chains));
    for (const [name, set] of this.#sets) lines.push(...this.#addElements(name, set.elements));
    return textOf(lines);
  }

  /**
   * New sets of networks, filled: for a transaction before that of the difference, whose rules name
   * them. Within one, rules take effect microseconds before the members of such sets (DESIGN.md).
   */
  takeNewIntervals(): string {
    const sets = this.#newSets().filter(([, { shape }]) => shape.interval === true);
    for (const [name] of sets) {
      this.#changedSets.delete(name);
      this.#refilled.delete(name);
    }
    const elements = sets.flatMap(([name, set]) => this.#addElements(name, set.elements));
    return textOf([...blocks(this.name, sets, []), ...elements]);
  }

  /**
   * The difference since it was last rendered, empty when there is none. With `blind` the kernel has
   * a table of ours whose content is not known: then what is new here may be there already.
   */
  takeDelta(options: { readonly blind?: boolean } = {}): string {
    const lines = [...this.#chainLines(options.blind === true), ...this.#elementLines()];
    lines.push(...this.#dropLines());
    this.#forget();
    return textOf(lines);
  }

  /** New sets and chains, and chains with other rules: all of them exist before a rule names one. */
  #chainLines(blind: boolean): string[] {
    const sets = this.#newSets();
    const chains = [...this.#changedChains].flatMap(([name]) => {
      const chain = this.#chains.get(name);
      return chain === undefined ? [] : [[name, chain] as const];
    });
    if (sets.length === 0 && chains.length === 0) return [];
    const known = chains.filter(([name]) => this.#changedChains.get(name) === true);
    return [
      ...(blind ? chains : []).map(([name, chain]) => addChainLine(this.name, name, chain)),
      ...(blind ? chains : known).map(([name, chain]) => `flush chain ${this.#at(chain)} ${name}`),
      ...blocks(this.name, sets, chains),
    ];
  }

  #newSets(): (readonly [string, DesiredSet])[] {
    return [...this.#changedSets].flatMap(([name, existed]) => {
      const set = this.#sets.get(name);
      return existed || set === undefined ? [] : [[name, set] as const];
    });
  }

  #elementLines(): string[] {
    const removed: string[] = [];
    const added: string[] = [];
    for (const name of this.#refilled) {
      const set = this.#sets.get(name);
      if (set === undefined) continue;
      removed.push(`flush set ${this.#at(set.shape)} ${name}`);
      added.push(...this.#addElements(name, set.elements));
    }
    for (const [name, changes] of this.#changedElements) {
      const set = this.#sets.get(name);
      if (set === undefined || this.#refilled.has(name)) continue;
      const gone = new Map<string, string>();
      const come = new Map<string, string>();
      for (const [key, before] of changes) {
        const now = set.elements.get(key);
        if (now === (before === ABSENT ? undefined : before)) continue;
        if (before !== ABSENT) gone.set(key, before);
        if (now !== undefined) come.set(key, now);
      }
      if (gone.size > 0) removed.push(this.#elements('delete', name, gone));
      added.push(...this.#addElements(name, come));
    }
    return [...removed, ...added];
  }

  /**
   * Chains are emptied before any is deleted: they may name each other, and sets. Maps name chains.
   * Nothing of the table of ARP ever goes.
   */
  #dropLines(): string[] {
    const chains = goneOf(this.#changedChains, this.#chains);
    const sets = goneOf(this.#changedSets, this.#sets);
    return [
      ...chains.map((name) => `flush chain inet ${this.name} ${name}`),
      ...sets.map((name) => `delete set inet ${this.name} ${name}`),
      ...chains.map((name) => `delete chain inet ${this.name} ${name}`),
    ];
  }

  #addElements(name: string, elements: ReadonlyMap<string, string>): string[] {
    return elements.size === 0 ? [] : [this.#elements('add', name, elements)];
  }

  #elements(verb: 'add' | 'delete', set: string, elements: ReadonlyMap<string, string>): string {
    return elementsLine(verb, `${this.#at(this.#set(set).shape)} ${set}`, elements);
  }

  /** Family and name of the table that holds it. */
  #at(holder: Chain | SetShape): string {
    return `${familyOf(holder)} ${this.name}`;
  }

  #set(name: string): DesiredSet {
    const set = this.#sets.get(name);
    invariant(set !== undefined, `set ${name} is declared before it is used`);
    return set;
  }

  #remember(set: string, key: string, before: Before): void {
    const changes = this.#changedElements.get(set) ?? new Map<string, Before>();
    if (!changes.has(key)) changes.set(key, before);
    this.#changedElements.set(set, changes);
  }

  #forget(): void {
    for (const one of this.#changes) one.clear();
  }
}
