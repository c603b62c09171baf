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
   * Calls back, within milliseconds, when a table, chain, rule, set or element changed and no `apply` of ours was the cause.
   * `tables` has family and name of those touched, such as `inet calico`; undefined when anything may have changed: once
   * when listening begins, and after notifications were lost.
   */
  monitor(onForeignChange: (tables?: ReadonlySet<string>) => void): { close(): void };
  close(): Promise<void>;
}
