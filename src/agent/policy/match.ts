import type { Family, Selector } from '../../model/index.js';

/**
 * One condition of a rule in one family: an nft expression, `true` when every packet fulfils it,
 * `false` when none does.
 */
export type Condition = string | boolean;

/** A rule member that this program cannot turn into a condition; its value is what to tell the user. */
export class Unsupported {
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }
}

/** What one member of a rule comes to, per family; `selectors` names the sets it needs. */
export interface Match {
  readonly conditions: Readonly<Record<Family, Condition>>;
  readonly selectors?: readonly Selector[];
}

/** A stored value for a message; JSON could hold anything here. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  return typeof value === 'object' ? 'of an unknown form' : String(value);
}

/** The same in both families. */
export const both = (condition: Condition): Match => ({
  conditions: { 4: condition, 6: condition },
});
