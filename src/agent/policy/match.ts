import type { Family } from '../../model/index.js';
import type { MemberSet } from './member-set.js';

/** Membership of a packet's address, or of address and port, in a set; named when the rule is written. */
export interface SetTest {
  /** nft's expression of what is looked up, such as `ip saddr`. */
  readonly key: string;
  readonly negated: boolean;
  readonly set: MemberSet;
}

/**
 * One condition of a rule in one family: an nft expression, a set to look into, `true` when every
 * packet fulfils it, `false` when none does.
 */
export type Condition = string | boolean | SetTest;

/** A rule member that this program cannot turn into a condition; its value is what to tell the user. */
export class Unsupported {
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }
}

/** What one member of a rule comes to, per family. */
export type Match = Readonly<Record<Family, Condition>>;

/** Of several matches one is enough. */
export type Alternatives = readonly Match[];

/** A stored value for a message; JSON could hold anything here. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  return typeof value === 'object' ? 'of an unknown form' : String(value);
}

/** The same in both families. */
export const both = (condition: Condition): Match => ({ 4: condition, 6: condition });

/** nft's word for the family's header. */
export const header = (family: Family): 'ip' | 'ip6' => (family === 4 ? 'ip' : 'ip6');
