import { invariant } from '../base/index.js';
import type { Chain, RuleSink, SetShape } from './policy/index.js';
import { blocks, familyOf, familiesOf, sameChain, type DesiredSet } from './table-text.js';

const ABSENT = Symbol('absent');
/** Of sets by name: keys, and values where it is a map. */
type Elements = ReadonlyMap<string, ReadonlyMap<string, string>>;
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

  constructor(name: string) {
    this.name = name;
  }

  get counts(): { readonly chains: number; readonly sets: number; readonly elements: number } {
    let elements = 0;
    for (const set of this.#sets.values()) elements += set.elements.size;
    return { chains: this.#chains.size, sets: this.#sets.size, elements };
  }

  elementCount(set: string): number {
    return this.#sets.get(set)?.elements.size ?? 0;
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
    return (
      this.#changedChains.size === 0 &&
      this.#changedSets.size === 0 &&
      this.#changedElements.size === 0 &&
      this.#refilled.size === 0
    );
  }

  /** Sets and chains without any element, as they would be in an empty rule set. */
  structure(): string {
    return `${blocks(this.name, [...this.#sets], [...this.#chains]).join('\n')}\n`;
  }

  /** These are the elements that are wanted, no more and no fewer, of all sets that are wanted. */
  hasElements(found: Elements): boolean {
    return [...this.#sets].every(([name, { elements }]) => {
      const there = found.get(name);
      if (there?.size !== elements.size) return false;
      for (const [key, value] of elements) if (there.get(key) !== value) return false;
      return true;
    });
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

  /** One transaction after which the kernel has this table, whatever it had before; never a moment without. */
  takeFull(): string {
    this.assume();
    const sets = [...this.#sets];
    const chains = [...this.#chains];
    const lines = familiesOf(sets, chains).flatMap((family) => [
      `add table ${family} ${this.name}`,
      `delete table ${family} ${this.name}`,
    ]);
    lines.push(...blocks(this.name, sets, chains));
    for (const [name, set] of this.#sets) lines.push(...this.#addElements(name, set.elements));
    return `${lines.join('\n')}\n`;
  }

  /**
   * The difference since it was last rendered, empty when there is none. With `blind` the kernel has
   * a table of ours whose content is not known: then what is new here may be there already.
   */
  takeDelta(options: { readonly blind?: boolean } = {}): string {
    if (this.clean) return '';
    const lines = [
      ...this.#chainLines(options.blind === true),
      ...this.#elementLines(),
      ...this.#dropLines(),
    ];
    this.assume();
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
  }

  /** New sets and chains, and chains with other rules: all of them exist before a rule names one. */
  #chainLines(blind: boolean): string[] {
    const sets = [...this.#changedSets].flatMap(([name, existed]) => {
      const set = this.#sets.get(name);
      return existed || set === undefined ? [] : [[name, set] as const];
    });
    const chains = [...this.#changedChains].flatMap(([name]) => {
      const chain = this.#chains.get(name);
      return chain === undefined ? [] : [[name, chain] as const];
    });
    if (sets.length === 0 && chains.length === 0) return [];
    const known = chains.filter(([name]) => this.#changedChains.get(name) === true);
    return [
      ...(blind ? chains : []).map(([name, chain]) => `add chain ${this.#at(chain)} ${name}`),
      ...(blind ? chains : known).map(([name, chain]) => `flush chain ${this.#at(chain)} ${name}`),
      ...blocks(this.name, sets, chains),
    ];
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
    const dropped = (changed: ReadonlyMap<string, boolean>, now: ReadonlyMap<string, unknown>) =>
      [...changed].filter(([name, existed]) => existed && !now.has(name)).map(([name]) => name);
    const chains = dropped(this.#changedChains, this.#chains);
    return [
      ...chains.map((name) => `flush chain inet ${this.name} ${name}`),
      ...dropped(this.#changedSets, this.#sets).map(
        (name) => `delete set inet ${this.name} ${name}`,
      ),
      ...chains.map((name) => `delete chain inet ${this.name} ${name}`),
    ];
  }

  #addElements(name: string, elements: ReadonlyMap<string, string>): string[] {
    return elements.size === 0 ? [] : [this.#elements('add', name, elements)];
  }

  #elements(verb: 'add' | 'delete', set: string, elements: ReadonlyMap<string, string>): string {
    const list = [...elements].map(([key, value]) => (value === '' ? key : `${key} : ${value}`));
    return `${verb} element ${this.#at(this.#set(set).shape)} ${set} { ${list.join(', ')} }`;
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

  /** What is wanted now is what the kernel has. */
  assume(): void {
    this.#changedChains.clear();
    this.#changedSets.clear();
    this.#changedElements.clear();
    this.#refilled.clear();
  }
}
