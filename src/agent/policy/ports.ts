/** Which of the two tables of one name holds a chain or set; absent: that of IP. */
interface InTable {
  readonly family?: 'arp';
}

/** A chain of the agent's table. */
export interface Chain extends InTable {
  /** The `type … hook … priority …; policy …;` line of a base chain; absent for others. */
  readonly hook?: string;
  /** One nft rule each, without the chain's name. */
  readonly rules: readonly string[];
}

/** What a set or map is declared as; one name always has one shape. */
export interface SetShape extends InTable {
  readonly kind: 'set' | 'map';
  /** nft's type, such as `ipv4_addr` or `ifname : verdict`; what stands behind `typeof`, when that begins it. */
  readonly type: string;
  /** Elements are networks; changed only as a whole, by `replaceElements`. */
  readonly interval?: boolean;
  /** Rules themselves add elements, which go when they were not needed for a minute. */
  readonly dynamic?: boolean;
  readonly comment?: string;
}

/** Where the policy puts its rules: the agent's table as it is wanted, which knows how to become true. */
export interface RuleSink {
  putChain(name: string, chain: Chain): void;
  dropChain(name: string): void;
  /** Declares an empty set; one that exists keeps its elements. */
  putSet(name: string, shape: SetShape): void;
  dropSet(name: string): void;
  /** `value` is a map's verdict; an element that exists is replaced. */
  addElement(set: string, key: string, value?: string): void;
  removeElement(set: string, key: string): void;
  replaceElements(set: string, keys: readonly string[]): void;
}
