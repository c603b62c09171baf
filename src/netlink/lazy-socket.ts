import { Fault } from '../base/fault.js';
import type { Log } from '../base/log.js';
import type { Requests } from './request.js';
import { openRequestSocket } from './socket.js';
import { ThreadedSocket } from './threaded-socket.js';

/** A socket that is opened when first needed, and again after it was lost. */
export class LazySocket {
  readonly #open: () => Promise<Requests>;
  #socket: Promise<Requests> | undefined;
  #closed = false;

  constructor(open: () => Promise<Requests>) {
    this.#open = open;
  }

  async get(): Promise<Requests> {
    if (this.#closed) {
      throw new Fault('unavailable', 'the netlink socket is closed', { reason: 'closed' });
    }
    const socket = await this.#current();
    if (!socket.gone) return socket;
    this.#socket = undefined;
    return this.#current();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opened = this.#socket;
    if (opened !== undefined)
      await opened.then(
        (socket) => socket.close(),
        () => undefined,
      );
  }

  #current(): Promise<Requests> {
    this.#socket ??= this.#open().catch((error: unknown) => {
      this.#socket = undefined;
      throw error;
    });
    return this.#socket;
  }
}

/** For what walks large tables of the kernel: off the event loop where that can be. */
export async function openOffLoop(protocol: number, log: Log): Promise<Requests> {
  try {
    return await ThreadedSocket.open(protocol);
  } catch (error) {
    log.warn({ err: error }, 'links and flows are listed and deleted on the event loop');
    return openRequestSocket(protocol);
  }
}
