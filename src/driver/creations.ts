import { orAbort } from '../base/index.js';
import { hostInterfaceName, type Address } from '../model/index.js';

interface Creation {
  readonly id: string;
  readonly addresses: readonly Address[];
  /** Settles when the call has ended, whatever came of it. */
  readonly ended: Promise<void>;
}

/**
 * Endpoints that are being made: one at a time with an address, and nobody frees it meanwhile. One that is being
 * deleted counts too, without addresses: its end must not take away what the next creation of the same ID made.
 */
export class Creations {
  readonly #running = new Map<string, Creation>();

  /** Runs the work, which makes or deletes this endpoint; `ended` must have been awaited. */
  async run<T>(id: string, addresses: readonly Address[], work: () => Promise<T>): Promise<T> {
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#running.set(id, { id, addresses, ended });
    try {
      return await work();
    } finally {
      this.#running.delete(id);
      end();
    }
  }

  /** When no other call makes or deletes this endpoint, or makes one with an address of it, any more. */
  async ended(id: string, addresses: readonly Address[], signal: AbortSignal): Promise<void> {
    for (;;) {
      const other =
        this.#running.get(id) ??
        this.#withInterface(hostInterfaceName(id)) ??
        addresses.flatMap((address) => this.holding(address) ?? [])[0];
      if (other === undefined) return;
      await orAbort(other.ended, signal, 'the creation of another endpoint with the same address');
    }
  }

  #withInterface(name: string): Creation | undefined {
    return [...this.#running.values()].find(({ id }) => hostInterfaceName(id) === name);
  }

  /** The endpoint that is being made with this address. */
  holding(address: Address): Creation | undefined {
    return [...this.#running.values()].find(({ addresses }) =>
      addresses.some((one) => one.equals(address)),
    );
  }
}
