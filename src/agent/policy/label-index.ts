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

interface Item {
  readonly labelled: Labelled;
  readonly labels: Labels;
  matched: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();
/** Lists the selectors that ask for no label; no label has that name. */
const ANY = '';

/**
 * Which selectors match which items. Work per change is in the number of selectors that the item's
 * labels could touch, and per new selector in the number of items with the label and value that it
 * asks for: never in the number of all.
 */
export class LabelIndex {
  readonly #items = new Map<string, Item>();
  readonly #itemsByTerm = new Map<string, Set<string>>();
  readonly #itemsByProfile = new Map<string, Set<string>>();
  readonly #profileLabels = new Map<string, Labels>();
  readonly #selectors = new Map<string, Selector>();
  readonly #selectorsByTerm = new Map<string, Set<string>>();
  readonly #matches = new SharedValues<ReadonlySet<string>>();
  readonly #labels = new SharedValues<Labels>();

  get itemCount(): number {
    return this.#items.size;
  }

  get selectorCount(): number {
    return this.#selectors.size;
  }

  /** An item appeared, changed, or (undefined) went. */
  setItem(key: string, labelled: Labelled | undefined): Rematch {
    const known = this.#items.get(key);
    if (known !== undefined) unlist(this.#itemsByProfile, known.labelled.profiles, key);
    if (labelled !== undefined) list(this.#itemsByProfile, labelled.profiles, key);
    return this.#update(key, known, labelled);
  }

  /** The labels that a profile gives its items; undefined when there is no such profile. */
  setProfileLabels(profile: string, labels: Labels | undefined): readonly Rematch[] {
    if (sameLabels(this.#profileLabels.get(profile) ?? {}, labels ?? {})) return [];
    if (labels === undefined) this.#profileLabels.delete(profile);
    else this.#profileLabels.set(profile, labels);
    const rematches: Rematch[] = [];
    for (const key of this.#itemsByProfile.get(profile) ?? []) {
      const known = this.#items.get(key);
      if (known !== undefined) rematches.push(this.#update(key, known, known.labelled));
    }
    return rematches;
  }

  /** Begins to watch a selector under an ID that is not in use; keys of the items that it matches. */
  watch(id: string, selector: Selector): readonly string[] {
    this.#selectors.set(id, selector);
    list(this.#selectorsByTerm, termsOfSelector(selector.root), id);
    const matched: string[] = [];
    const more = new Map<ReadonlySet<string>, ReadonlySet<string>>();
    for (const key of this.#candidates(selector)) {
      const item = this.#items.get(key);
      if (item === undefined || !selector.evaluate(item.labels)) continue;
      const next = more.get(item.matched) ?? this.#share(new Set(item.matched).add(id));
      more.set(item.matched, next);
      item.matched = next;
      matched.push(key);
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
    for (const key of this.#candidates(selector)) {
      const item = this.#items.get(key);
      if (item?.matched.has(id) !== true) continue;
      const next = less.get(item.matched) ?? this.#without(item.matched, id);
      less.set(item.matched, next);
      item.matched = next;
      matched.push(key);
    }
    return matched;
  }

  keys(): Iterable<string> {
    return this.#items.keys();
  }

  /** Selectors that match an item now: the same object for all items that the same ones match. */
  matchedBy(key: string): ReadonlySet<string> {
    return this.#items.get(key)?.matched ?? NONE;
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

  #candidates(selector: Selector): Iterable<string> {
    const terms = termsOfSelector(selector.root);
    if (terms.includes(ANY)) return this.#items.keys();
    // An item has one value of a label, so no two terms of one selector list it.
    return terms.flatMap((term) => [...(this.#itemsByTerm.get(term) ?? [])]);
  }

  #update(key: string, known: Item | undefined, labelled: Labelled | undefined): Rematch {
    const before = known?.matched ?? NONE;
    if (known !== undefined) unlist(this.#itemsByTerm, termsOfLabels(known.labels), key);
    if (labelled === undefined) {
      this.#items.delete(key);
      return { key, before, after: NONE };
    }
    const labels = this.#effectiveLabels(labelled);
    const terms = termsOfLabels(labels);
    list(this.#itemsByTerm, terms, key);
    const after = this.#matching(labels, terms);
    this.#items.set(key, { labelled, labels, matched: after });
    return { key, before, after };
  }

  #effectiveLabels({ labels: own, profiles }: Labelled): Labels {
    let labels: Record<string, string> | undefined;
    for (const profile of profiles) {
      for (const [label, value] of Object.entries(this.#profileLabels.get(profile) ?? {})) {
        labels ??= Object.assign(Object.create(null) as Record<string, string>, own);
        labels[label] ??= value;
      }
    }
    return labels === undefined ? own : this.#labels.share(JSON.stringify(labels), labels);
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

/** Every item that the selector matches has one of these terms. */
function termsOfSelector(root: SelectorNode): readonly string[] {
  const required = requiredLabel(root);
  if (required === undefined) return [ANY];
  return required.values?.map((value) => `${required.label}\0${value}`) ?? [required.label];
}

function list(index: Map<string, Set<string>>, terms: readonly string[], key: string): void {
  for (const term of terms) {
    const keys = index.get(term);
    if (keys === undefined) index.set(term, new Set([key]));
    else keys.add(key);
  }
}

function unlist(index: Map<string, Set<string>>, terms: readonly string[], key: string): void {
  for (const term of terms) {
    const keys = index.get(term);
    keys?.delete(key);
    if (keys?.size === 0) index.delete(term);
  }
}

function sameLabels(left: Labels, right: Labels): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && left[name] === right[name])
  );
}
