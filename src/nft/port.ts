/** What a rule with a counter has counted since it was written. */
export interface RuleCounter {
  readonly chain: string;
  /** Empty when it has none. */
  readonly comment: string;
  readonly packets: number;
  readonly bytes: number;
}

/**
 * nftables, one transaction per call. Text is nft's own syntax; a `}` of a chain or set is followed by a newline.
 * Faults: `invalid` (nft refused the transaction; message is nft's first line, `details.commands` the text),
 * `unavailable` (neither libnftables nor the nft command can be used, or no permission).
 */
export interface Nft {
  /** Which implementation answers. */
  readonly implementation: 'library' | 'command';
  /**
   * Applies all commands atomically, or nothing. Calls that wait are merged; one that fails is told alone. They go ahead
   * of checks and lists that wait, so await those first whose answer is to be from before.
   */
  apply(commands: string): Promise<void>;
  /** Checks without applying (`nft --check`). */
  check(commands: string): Promise<void>;
  /** Output of a `list` command: nft's JSON document, parsed. */
  listJson(command: string): Promise<unknown>;
  /**
   * What the commands make of an empty rule set: nft's JSON document of what they add, parsed. Done in a network
   * namespace that is gone afterwards; nothing changes here. Fault `unavailable` also where there can be no such
   * namespace, or no nft command.
   */
  rehearse(commands: string): Promise<unknown>;
  /**
   * Counters of an inet table's rules, or of one chain's, in order; none when there is no such table. Neither waits for
   * what else is asked nor holds it up.
   */
  ruleCounters(table: string, chain?: string): Promise<readonly RuleCounter[]>;
  /**
   * Calls back, within milliseconds, when a table, chain, rule, set or element changed and no `apply` of ours was the cause.
   * `tables` has family and name of those touched, such as `inet calico`; undefined when anything may have changed: once
   * when listening begins, and after notifications were lost; `deaf` while there are none.
   */
  monitor(onForeignChange: (tables?: ReadonlySet<string>, deaf?: boolean) => void): {
    close(): void;
  };
  close(): Promise<void>;
}
