import { Fault, isFault, messageOf, type Clock, type Log } from '../base/index.js';
import type { Nft } from '../nft/index.js';
import type { KernelTable } from './kernel-table.js';
import { LAYOUT_CHAIN, SHUT } from './policy/index.js';
import { ownChains } from './own-chains.js';
import { openedText, openingOf } from './shut-table.js';
import type { DesiredTable } from './table.js';
import { isFilledInterval } from './table-text.js';
import { isAsWanted, readTable } from './take-over.js';

export interface TableStatus {
  /**
   * `unknown`: nothing was looked at yet. Until everything wanted is known, a table of an earlier run
   * stays in force: `added-to`, or `kept` when it has another layout and cannot be. `known`: ours.
   */
  readonly state: 'unknown' | 'added-to' | 'kept' | 'known';
  /** Transactions that replaced the table, and that changed a part of it. */
  readonly replaced: number;
  readonly changed: number;
  /** How long the newest one took, in milliseconds. */
  readonly lastMs: number;
}

export interface TableWriterOptions {
  readonly nft: Nft;
  readonly table: DesiredTable;
  readonly clock: Clock;
  readonly log: Log;
  /** nft refused the whole table: takes what it refuses out of it; true when there was something. */
  readonly isolate: () => Promise<boolean>;
}

/**
 * Brings the wanted table into the kernel, one transaction at a time. Callers that come while one is
 * on its way share the next. After any doubt the whole table is replaced, which needs no knowledge.
 */
export class TableWriter {
  readonly #options: TableWriterOptions;
  #state: TableStatus['state'] = 'unknown';
  #whole = false;
  /** What was read of the kernel, while nothing has changed since. */
  #seen: KernelTable | undefined;
  /** A change was refused while a table of an earlier run is in force: only the whole mends that. */
  #missed = false;
  #replaced = 0;
  #changed = 0;
  #lastMs = 0;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #rounds = 0;
  #doubts = 0;

  constructor(options: TableWriterOptions) {
    this.#options = options;
  }

  get status(): TableStatus {
    return {
      state: this.#state,
      replaced: this.#replaced,
      changed: this.#changed,
      lastMs: this.#lastMs,
    };
  }

  /**
   * Takes over the kernel before everything wanted is known: builds the table when there is none.
   * Never a moment without protection, and nothing that runs is cut off.
   */
  async begin(): Promise<void> {
    if (this.#state !== 'unknown') return;
    const { nft, table } = this.#options;
    const [chains, ofArp] = await Promise.all([
      ownChains(nft, 'inet', table.name),
      ownChains(nft, 'arp', table.name),
    ]);
    if (chains.size === 0 && ofArp.size === 0) {
      this.#whole = true;
      return;
    }
    if (!chains.has(LAYOUT_CHAIN) || ofArp.size === 0) {
      this.#state = 'kept';
      return;
    }
    const opening = await openingOf(nft, table);
    if (opening !== '') await this.#apply(opening);
    // What was restored is in that table, with its profiles, which we do not know yet.
    table.takeDelta();
    this.#state = 'added-to';
  }

  /** From the next flush on the kernel has exactly what is wanted, whatever it has now. */
  replaceWhole(): void {
    this.#seen = undefined;
    this.#whole = true;
  }

  /** Reads the table of an earlier run, for `takeOver`; undefined when there is none that can be compared. */
  look(): Promise<KernelTable | undefined> {
    return this.#inTurn(() => this.#look());
  }

  /** Something may have changed unheard since `look`. */
  doubt(): void {
    this.#seen = undefined;
    this.#doubts += 1;
  }

  /** Settles when no transaction is on its way any more. */
  async settled(): Promise<void> {
    while (this.busy) await this.#running;
  }

  /** As `replaceWhole`, but nothing is written when `look` saw exactly that and nothing has changed since. */
  takeOver(): void {
    this.#whole = true;
  }

  /** A flush has something to do, and can. */
  get dirty(): boolean {
    if (this.#whole) return true;
    const open = this.#state === 'known' || (this.#state === 'added-to' && !this.#missed);
    return open && !this.#options.table.clean;
  }

  /** A transaction is on its way. */
  get busy(): boolean {
    return this.#rounds > 0;
  }

  /** Settles when all that was wanted at the time of the call is in the kernel. Faults: those of nft. */
  flush(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    this.#next = this.#inTurn(() => {
      this.#next = undefined;
      return this.#write();
    });
    return this.#next;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const round = this.#running.then(work);
    this.#rounds += 1;
    const ended = (): void => {
      this.#rounds -= 1;
    };
    this.#running = round.then(ended, ended);
    return round;
  }

  async #write(): Promise<void> {
    const { table, log } = this.#options;
    if (!this.#whole) {
      if (this.#state === 'unknown' || this.#state === 'kept' || this.#missed) {
        throw new Fault(
          'unavailable',
          'policy cannot be changed until the datastore has answered for the first time: try again',
          { reason: 'starting' },
        );
      }
      const blind = this.#state === 'added-to';
      // Sets of that table's may be in use already: there is no before.
      const intervals = blind ? '' : table.takeNewIntervals();
      const delta = table.takeDelta({ blind });
      if (intervals === '' && delta === '') return;
      try {
        if (intervals !== '') await this.#apply(intervals);
        if (delta !== '') await this.#apply(delta);
        this.#changed += 1;
        return;
      } catch (error) {
        if (this.#state === 'added-to') {
          this.#missed = true;
          throw error;
        }
        this.#whole = true;
        log.warn(
          { reason: messageOf(error) },
          'nft refused a change of the policy table; replacing the whole table',
        );
      }
    }
    // What changes while the table is compared or the transaction is on its way is in the next difference.
    this.#whole = false;
    try {
      if (!(await this.#isThere())) {
        await this.#replace();
        this.#replaced += 1;
      }
      this.#state = 'known';
      this.#missed = false;
    } catch (error) {
      this.#whole = true;
      throw error;
    }
  }

  async #look(): Promise<KernelTable | undefined> {
    if (this.#state !== 'added-to' || this.#whole) return undefined;
    const { nft, table } = this.#options;
    const seen = await readTable(nft, table.name);
    // Another program may have changed it meanwhile.
    if (!this.#whole) this.#seen = seen;
    return this.#seen;
  }

  async #isThere(): Promise<boolean> {
    const seen = this.#seen;
    this.#seen = undefined;
    const doubts = this.#doubts;
    return seen !== undefined && (await isAsWanted(this.#options, seen)) && doubts === this.#doubts;
  }

  async #replace(): Promise<void> {
    try {
      await this.#applyFull();
    } catch (error) {
      if (!isFault(error, 'invalid') || !(await this.#options.isolate())) throw error;
      await this.#applyFull();
    }
  }

  /** See `takeNewIntervals`: with such sets, no connection begins until all of them are in force. */
  async #applyFull(): Promise<void> {
    const { table } = this.#options;
    if (![...table.sets.values()].some(isFilledInterval)) {
      await this.#apply(table.takeFull());
      return;
    }
    const full = table.takeFull(SHUT);
    const opened = openedText(table);
    await this.#apply(full);
    try {
      await this.#apply(opened);
    } catch (error) {
      // Nothing of it can be wrong: somebody else's change came between.
      throw new Fault('unavailable', `the policy table is shut: ${messageOf(error)}`);
    }
  }

  async #apply(commands: string): Promise<void> {
    const { nft, clock } = this.#options;
    const begun = clock.monotonic();
    this.#seen = undefined;
    await nft.apply(commands);
    this.#lastMs = Math.round((clock.monotonic() - begun) * 1000) / 1000;
  }
}
