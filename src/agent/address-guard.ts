import { backoff, messageOf, orAbort, sleep, type Log } from '../base/index.js';
import type { Address } from '../model/index.js';
import type { Netlink } from '../netlink/index.js';

const TRIES = 3;

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
  readonly #cleaning = new Map<string, Cleaning>();
  #waiting: Address[] = [];
  #round: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

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
    for (const address of addresses) this.#clean.delete(String(address));
    // A failure was logged; the next user of the address tries again.
    void this.#clear(addresses, gone).catch(() => undefined);
  }

  /** The addresses will be used soon: those not known to be clean are cleaned in the background. */
  prepare(addresses: readonly Address[]): void {
    const unknown = addresses.filter(
      (address) => !this.#clean.has(String(address)) && !this.#cleaning.has(String(address)),
    );
    this.release(unknown);
  }

  /** In use since before this program started: its flows are its own. */
  keep(addresses: readonly Address[]): void {
    for (const address of addresses) this.#clean.add(String(address));
  }

  /**
   * Settles when none of the addresses has flows of a former user. At once for those cleaned since
   * the start; others are looked up in the kernel's table first. Faults: those of the table's dump.
   */
  async ready(addresses: readonly Address[], signal: AbortSignal): Promise<void> {
    const unknown = addresses.filter((address) => !this.#clean.has(String(address)));
    if (unknown.length === 0) return;
    const running = unknown.flatMap((address) => this.#cleaning.get(String(address))?.done ?? []);
    const fresh = unknown.filter((address) => !this.#cleaning.has(String(address)));
    const work = Promise.all([...running, ...(fresh.length > 0 ? [this.#clear(fresh)] : [])]);
    await orAbort(work, signal, 'removing connections of the former user of an address');
  }

  #clear(addresses: readonly Address[], gone: Promise<unknown> = Promise.resolve()): Promise<void> {
    const round = (): Promise<void> => {
      this.#waiting.push(...addresses);
      this.#round ??= this.#nextRound();
      return this.#round;
    };
    const cleaning: Cleaning = { done: gone.then(round, round) };
    for (const address of addresses) this.#cleaning.set(String(address), cleaning);
    const settle = (clean: boolean): void => {
      for (const address of addresses) {
        // A later release of the same address has begun another cleaning: that one counts.
        if (this.#cleaning.get(String(address)) !== cleaning) continue;
        this.#cleaning.delete(String(address));
        if (clean) this.#clean.add(String(address));
      }
    };
    return cleaning.done.then(
      () => settle(true),
      (error: unknown) => {
        settle(false);
        this.#log.warn(
          { addresses: addresses.map(String), reason: messageOf(error) },
          'connections of a former user of these addresses could not be removed; tried again before reuse',
        );
        throw error;
      },
    );
  }

  /** Whoever asks until it begins shares the dump; it begins when the one before has ended. */
  #nextRound(): Promise<void> {
    const round = this.#running.then(() => {
      const addresses = this.#waiting;
      this.#waiting = [];
      this.#round = undefined;
      return this.#delete(addresses);
    });
    this.#running = round.catch(() => undefined);
    return round;
  }

  async #delete(addresses: readonly Address[]): Promise<void> {
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
