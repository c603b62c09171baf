import { backoff, messageOf, orAbort, sleep, type Log } from '../base/index.js';
import type { Address } from '../model/index.js';
import type { Netlink } from '../netlink/index.js';

const TRIES = 3;
/** How long addresses are gathered that nobody waits for. */
const GATHER_MS = 1_000;
/** Least distance of two walks through the kernel's table: under load each serves the addresses of that time. */
const SPACING_MS = 10;

interface Cleaning {
  readonly done: Promise<void>;
}

/**
 * Keeps an address from its next user until the connections of its last one are forgotten: a reused
 * address would inherit ESTABLISHED entries and get past policy (node-agent §1.6). One dump of the
 * kernel's table serves all addresses that wait for one; other addresses never wait.
 */
export class AddressGuard {
  readonly #netlink: Netlink;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  /** Known to have no old connections: cleaned, or in use, since the start. */
  readonly #clean = new Set<string>();
  /** Connections of somebody else are possible: had by another host since the start, or not yet cleaned. */
  readonly #doubtful = new Set<string>();
  /** Addresses with connections when this program started; undefined until asked for, or on failure. */
  #found: Promise<ReadonlySet<string> | undefined> | undefined;
  readonly #cleaning = new Map<string, Cleaning>();
  #waiting: Address[] = [];
  #round: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #spacing: Promise<unknown> = Promise.resolve();
  /** Ends the gathering of the next round: somebody waits for it. */
  #hurry: (() => void) | undefined;
  /** Uses that wait for a cleaning. */
  #awaited = 0;

  constructor(netlink: Netlink, log: Log, signal: AbortSignal) {
    this.#netlink = netlink;
    this.#log = log;
    this.#signal = signal;
  }

  /**
   * Its flows may belong to a former user: they go in the background, once `gone` has settled (its
   * route is away, or moved). From this call on `ready` waits for that.
   */
  release(addresses: readonly Address[], gone: Promise<unknown> = Promise.resolve()): void {
    if (addresses.length === 0) return;
    this.suspect(addresses);
    // A failure was logged; the next user of the address tries again.
    void this.#clear(addresses, gone).catch(() => undefined);
  }

  /** The addresses will be used soon: those that need it are cleaned in the background. */
  prepare(addresses: readonly Address[]): void {
    // A failure was logged; their use tries again.
    this.#settle(addresses.filter((one) => !this.#clean.has(String(one)))).catch(() => undefined);
  }

  /** In use since before this program started: its flows are its own. */
  keep(addresses: readonly Address[]): void {
    for (const address of addresses) this.#clean.add(String(address));
  }

  /** Somebody else has the addresses: connections may pass through here. */
  suspect(addresses: readonly Address[]): void {
    for (const address of addresses) {
      this.#clean.delete(String(address));
      this.#doubtful.add(String(address));
    }
  }

  /** Looks once at which addresses have connections: only those have to be cleaned at their first use. */
  survey(): Promise<ReadonlySet<string> | undefined> {
    this.#found ??= this.#netlink.flowSources().catch((error: unknown) => {
      this.#log.warn(
        { reason: messageOf(error) },
        'connections cannot be listed; each address is looked up at its first use',
      );
      return undefined;
    });
    return this.#found;
  }

  /**
   * Settles when none of the addresses has connections of a former user. At once for those that
   * nobody had, or that were cleaned, since the start. Faults: those of the kernel's table.
   */
  async ready(addresses: readonly Address[], signal: AbortSignal): Promise<void> {
    const unknown = addresses.filter((address) => !this.#clean.has(String(address)));
    if (unknown.length === 0) return;
    await orAbort(this.#settle(unknown), signal, 'removing connections of an address');
  }

  async #settle(addresses: readonly Address[]): Promise<void> {
    this.#awaited += 1;
    try {
      await this.#settleNow(addresses);
    } finally {
      this.#awaited -= 1;
    }
  }

  async #settleNow(addresses: readonly Address[]): Promise<void> {
    const found = await this.survey();
    const running: Promise<void>[] = [];
    const fresh: Address[] = [];
    for (const address of addresses) {
      const key = String(address);
      const cleaning = this.#cleaning.get(key);
      if (cleaning !== undefined) running.push(cleaning.done);
      else if (found?.has(key) !== false || this.#doubtful.has(key)) fresh.push(address);
      else this.#clean.add(key);
    }
    const cleared = fresh.length > 0 ? [this.#clear(fresh)] : [];
    if (running.length + cleared.length > 0) this.#hurry?.();
    await Promise.all([...running, ...cleared]);
  }

  #clear(addresses: readonly Address[], gone: Promise<unknown> = Promise.resolve()): Promise<void> {
    const round = (): Promise<void> => {
      this.#waiting.push(...addresses);
      this.#round ??= this.#nextRound();
      return this.#round;
    };
    const cleaning: Cleaning = { done: gone.then(round, round) };
    for (const address of addresses) this.#cleaning.set(String(address), cleaning);
    return cleaning.done.then(
      () => this.#end(addresses, cleaning, true),
      (error: unknown) => {
        this.#end(addresses, cleaning, false);
        this.#log.warn(
          { addresses: addresses.map(String), reason: messageOf(error) },
          'connections of a former user of these addresses could not be removed; tried again before reuse',
        );
        throw error;
      },
    );
  }

  #end(addresses: readonly Address[], cleaning: Cleaning, clean: boolean): void {
    for (const address of addresses) {
      const key = String(address);
      // A later release of the same address has begun another cleaning: that one counts.
      if (this.#cleaning.get(key) !== cleaning) continue;
      this.#cleaning.delete(key);
      if (clean) {
        this.#clean.add(key);
        this.#doubtful.delete(key);
      }
    }
  }

  /** Whoever asks until it begins shares the dump; it begins when the one before has ended. */
  #nextRound(): Promise<void> {
    const round = this.#running.then(async () => {
      await this.#gather();
      const addresses = this.#waiting;
      this.#waiting = [];
      this.#round = undefined;
      return this.#delete(addresses);
    });
    this.#running = round.catch(() => undefined);
    return round;
  }

  /**
   * A walk through the kernel's table costs milliseconds whatever it finds, so addresses that nobody waits for
   * are gathered; they are the last of their block to be given out again.
   */
  async #gather(): Promise<void> {
    const hurry = new Promise<void>((resolve) => {
      this.#hurry = resolve;
    });
    const stop = new AbortController();
    const pause = sleep(GATHER_MS, AbortSignal.any([this.#signal, stop.signal])).catch(
      () => undefined,
    );
    if (this.#awaited > 0) this.#hurry?.();
    await Promise.race([hurry, pause]);
    stop.abort();
    await this.#spacing;
    this.#hurry = undefined;
  }

  async #delete(addresses: readonly Address[]): Promise<void> {
    this.#spacing = sleep(SPACING_MS, this.#signal).catch(() => undefined);
    const pauses = backoff(50, 1000);
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        await this.#netlink.deleteFlows(addresses);
        return;
      } catch (error) {
        if (left === 0) throw error;
        await sleep(pauses.next().value, this.#signal);
      }
    }
  }
}
