import { requiredLabel, type Labels, type Selector, type SelectorNode } from '../../model/index.js';
import { SharedValues } from './shared-values.js';

/** Anything that carries labels: endpoints of any kind, and sets of networks. */
export interface Labelled {
  readonly labels: Labels;
  /** In order: their `labelsToApply` are added, the first writer of a label wins. */
  readonly profiles: readonly string[];
}

/** What one change came to: the selectors that matched the item before it, and those that do now. */
export interface Rematch {
  readonly key: string;
  readonly before: ReadonlySet<string>;
  readonly after: ReadonlySet<string>;
}

/** Items with the same labels and profiles: the same selectors match all of them. */
interface Group {
  readonly text: string;
  readonly labelled: Labelled;
  readonly keys: Set<string>;
  /** With those that the profiles give. */
  labels: Labels;
  terms: readonly string[];
  matched: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();
/** Lists the selectors that ask for no label; no label has that name. */
const ANY = '';

/**
 * Which selectors match which items. Items that are alike are looked at as one: a hundred thousand endpoints of a
 * hundred applications are a hundred. Work per change is in the number of selectors that the item's labels could
 * touch, and per new selector in the number of groups with the label and value that it asks for: never in the number
 * of all.
 */
export class LabelIndex {
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<string, Group>();
  readonly #groupsByTerm = new Map<string, Set<Group>>();
  readonly #groupsByProfile = new Map<string, Set<Group>>();
  readonly #profileLabels = new Map<string, Labels>();
  readonly #selectors = new Map<string, Selector>();
  readonly #selectorsByTerm = new Map<string, Set<string>>();
  readonly #matches = new SharedValues<ReadonlySet<string>>();

  get itemCount(): number {
    return this.#groupOf.size;
  }

  get selectorCount(): number {
    return this.#selectors.size;
  }

  /** An item appeared, changed, or (undefined) went. */
  setItem(key: string, labelled: Labelled | undefined): Rematch {
    const known = this.#groupOf.get(key);
    const next = labelled && this.#group(labelled);
    const change = { key, before: known?.matched ?? NONE, after: next?.matched ?? NONE };
    if (known === next) return change;
    if (next === undefined) this.#groupOf.delete(key);
    else this.#groupOf.set(key, next);
    next?.keys.add(key);
    if (known?.keys.delete(key) === true && known.keys.size === 0) this.#forget(known);
    return change;
  }

  /** What the item has of its own: one object for all that have the same. */
  labelled(key: string): Labelled | undefined {
    return this.#groupOf.get(key)?.labelled;
  }

  /** The labels that a profile gives its items; undefined when there is no such profile. */
  setProfileLabels(profile: string, labels: Labels | undefined): readonly Rematch[] {
    if (sameLabels(this.#profileLabels.get(profile) ?? {}, labels ?? {})) return [];
    if (labels === undefined) this.#profileLabels.delete(profile);
    else this.#profileLabels.set(profile, labels);
    const rematches: Rematch[] = [];
    for (const group of this.#groupsByProfile.get(profile) ?? []) {
      const before = group.matched;
      unlist(this.#groupsByTerm, group.terms, group);
      this.#match(group);
      for (const key of group.keys) rematches.push({ key, before, after: group.matched });
    }
    return rematches;
  }

  /** Begins to watch a selector under an ID that is not in use; keys of the items that it matches. */
  watch(id: string, selector: Selector): readonly string[] {
    this.#selectors.set(id, selector);
    list(this.#selectorsByTerm, termsOfSelector(selector.root), id);
    const matched: string[] = [];
    const more = new Map<ReadonlySet<string>, ReadonlySet<string>>();
    for (const group of this.#candidates(selector)) {
      if (!selector.evaluate(group.labels)) continue;
      const next = more.get(group.matched) ?? this.#share(new Set(group.matched).add(id));
      more.set(group.matched, next);
      group.matched = next;
      for (const key of group.keys) matched.push(key);
    }
    return matched;
  }

  /** Ends it; keys of the items that it matched. */
  unwatch(id: string): readonly string[] {
    const selector = this.#selectors.get(id);
    if (selector === undefined) return [];
    this.#selectors.delete(id);
    unlist(this.#selectorsByTerm, termsOfSelector(selector.root), id);
    const matched: string[] = [];
    const less = new Map<ReadonlySet<string>, ReadonlySet<string>>();
    for (const group of this.#candidates(selector)) {
      if (!group.matched.has(id)) continue;
      const next = less.get(group.matched) ?? this.#without(group.matched, id);
      less.set(group.matched, next);
      group.matched = next;
      for (const key of group.keys) matched.push(key);
    }
    return matched;
  }

  keys(): Iterable<string> {
    return this.#groupOf.keys();
  }

  /** Selectors that match an item now: the same object for all items that the same ones match. */
  matchedBy(key: string): ReadonlySet<string> {
    return this.#groupOf.get(key)?.matched ?? NONE;
  }

  #share(matched: ReadonlySet<string>): ReadonlySet<string> {
    if (matched.size === 0) return NONE;
    return this.#matches.share([...matched].sort().join('\0'), matched);
  }

  #without(matched: ReadonlySet<string>, id: string): ReadonlySet<string> {
    const left = new Set(matched);
    left.delete(id);
    return this.#share(left);
  }

  #candidates(selector: Selector): Iterable<Group> {
    const terms = termsOfSelector(selector.root);
    if (terms.includes(ANY)) return this.#groups.values();
    // A group has one value of a label, so no two terms of one selector list it.
    return terms.flatMap((term) => [...(this.#groupsByTerm.get(term) ?? [])]);
  }

  #group(labelled: Labelled): Group {
    const { labels, profiles } = labelled;
    const text = JSON.stringify([labels, profiles]);
    const known = this.#groups.get(text);
    if (known !== undefined) return known;
    const group: Group = {
      ...{ text, labelled: { labels, profiles }, keys: new Set<string>() },
      ...{ labels, terms: [], matched: NONE },
    };
    this.#groups.set(text, group);
    list(this.#groupsByProfile, profiles, group);
    this.#match(group);
    return group;
  }

  #forget(group: Group): void {
    this.#groups.delete(group.text);
    unlist(this.#groupsByProfile, group.labelled.profiles, group);
    unlist(this.#groupsByTerm, group.terms, group);
  }

  /** Finds its labels, and what selects it, anew. */
  #match(group: Group): void {
    group.labels = this.#effectiveLabels(group.labelled);
    group.terms = termsOfLabels(group.labels);
    list(this.#groupsByTerm, group.terms, group);
    group.matched = this.#matching(group.labels, group.terms);
  }

  #effectiveLabels({ labels: own, profiles }: Labelled): Labels {
    let labels: Record<string, string> | undefined;
    for (const profile of profiles) {
      for (const [label, value] of Object.entries(this.#profileLabels.get(profile) ?? {})) {
        labels ??= Object.assign(Object.create(null) as Record<string, string>, own);
        labels[label] ??= value;
      }
    }
    return labels ?? own;
  }

  #matching(labels: Labels, terms: readonly string[]): ReadonlySet<string> {
    let matched: Set<string> | undefined;
    for (const term of [ANY, ...terms]) {
      for (const id of this.#selectorsByTerm.get(term) ?? []) {
        if (this.#selectors.get(id)?.evaluate(labels) === true) (matched ??= new Set()).add(id);
      }
    }
    return matched === undefined ? NONE : this.#share(matched);
  }
}

/** Each label alone, and with its value; a label has no NUL. */
function termsOfLabels(labels: Labels): string[] {
  return Object.entries(labels).flatMap(([label, value]) => [label, `${label}\0${value}`]);
}

/** Every group that the selector matches has one of these terms. */
function termsOfSelector(root: SelectorNode): readonly string[] {
  const required = requiredLabel(root);
  if (required === undefined) return [ANY];
  return required.values?.map((value) => `${required.label}\0${value}`) ?? [required.label];
}

function list<T>(index: Map<string, Set<T>>, terms: readonly string[], one: T): void {
  for (const term of terms) {
    const all = index.get(term);
    if (all === undefined) index.set(term, new Set([one]));
    else all.add(one);
  }
}

function unlist<T>(index: Map<string, Set<T>>, terms: readonly string[], one: T): void {
  for (const term of terms) {
    const all = index.get(term);
    all?.delete(one);
    if (all?.size === 0) index.delete(term);
  }
}

function sameLabels(left: Labels, right: Labels): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && left[name] === right[name])
  );
}
