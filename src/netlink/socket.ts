import type { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { Fault, isFault } from '../base/fault.js';
import { faultOfErrno } from './errno.js';
import { closeLater, lost, openRaw, survivesOverrun } from './raw-socket.js';
import {
  Answer,
  ANSWER_BOUND_MS,
  repeatDump,
  type NetlinkRequest,
  type Requests,
} from './request.js';
import { decodeMessages, encodeMessage, NLM_F_ACK, NLM_F_REQUEST, type Message } from './wire.js';

/**
 * Requests under way at once. Their answers wait in the receive buffer until the event loop reads
 * them; 32, and half the buffer for a dump, always fit into its default size.
 */
const WINDOW = 32;

interface Pending {
  readonly request: NetlinkRequest;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (fault: unknown) => void;
  readonly answer: Answer;
  timer: NodeJS.Timeout | undefined;
}

/**
 * A socket to the kernel that sends requests and finds their answers. The package's own request
 * layer is not used: it drops the errno, does not see interrupted dumps and mixes up sequences.
 * The socket keeps the process alive only while an answer is awaited.
 */
export class RequestSocket implements Requests {
  readonly #raw: RawNetlinkSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #waiting: Pending[] = [];
  #sequence = 0;
  #dumps: Promise<unknown> = Promise.resolve();
  #gone: Fault | undefined;
  #closed: Promise<void> = Promise.resolve();

  constructor(raw: RawNetlinkSocket) {
    this.#raw = raw;
    raw.on('message', (datagram, from) => {
      if (from.port === 0) this.#receive(datagram);
    });
    raw.on('error', (error) => this.#end(lost(error)));
  }

  get gone(): boolean {
    return this.#gone !== undefined;
  }

  async request(request: NetlinkRequest): Promise<readonly Message[]> {
    return (await this.#send(request)).messages;
  }

  /** Dumps wait for each other: the kernel has one at a time per socket. */
  async dump(request: NetlinkRequest): Promise<readonly Message[]> {
    const turn = this.#dumps.then(() => repeatDump(request, (dump) => this.#send(dump)));
    this.#dumps = turn.catch(() => undefined);
    return turn;
  }

  /** What still waits is rejected with `unavailable`. Resolves when the descriptor is closed. */
  close(): Promise<void> {
    this.#end(new Fault('unavailable', 'the netlink socket is closed', { reason: 'closed' }));
    return this.#closed;
  }

  #send(request: NetlinkRequest): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone);
      this.#waiting.push({ request, resolve, reject, answer: new Answer(), timer: undefined });
      this.#fill();
    });
  }

  #fill(): void {
    while (this.#pending.size < WINDOW) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#sequence = (this.#sequence % 0xffff_fffe) + 1;
      this.#transmit(this.#sequence, next);
    }
  }

  #transmit(sequence: number, pending: Pending): void {
    const { type, flags = 0, parts, what } = pending.request;
    if (this.#pending.size === 0) this.#raw.ref();
    this.#pending.set(sequence, pending);
    pending.timer = setTimeout(() => {
      const words = `${what}: the kernel gave no answer within ${ANSWER_BOUND_MS / 1000} s`;
      this.#settle(sequence, (late) => late.reject(new Fault('timeout', words)));
    }, ANSWER_BOUND_MS);
    const message = encodeMessage(type, flags | NLM_F_REQUEST | NLM_F_ACK, sequence, parts);
    this.#raw.send(message, undefined, (error) => {
      if (error === undefined || error === null) return;
      const fault = faultOfErrno(what, Math.abs(error.errno));
      this.#settle(sequence, (unsent) => unsent.reject(fault));
    });
  }

  #receive(datagram: Buffer): void {
    try {
      for (const message of decodeMessages(datagram)) this.#take(message);
    } catch (error) {
      this.#end(lost(error));
    }
  }

  #take(message: Message): void {
    const pending = this.#pending.get(message.sequence);
    if (pending === undefined) return;
    pending.answer.add(message);
    if (!pending.answer.complete) return;
    this.#settle(message.sequence, ({ request, answer, resolve, reject }) => {
      try {
        resolve(answer.check(request.what));
      } catch (fault) {
        reject(fault);
      }
    });
  }

  #settle(sequence: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(sequence);
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    this.#pending.delete(sequence);
    if (this.#pending.size === 0 && this.#gone === undefined) this.#raw.unref();
    how(pending);
    if (this.#gone === undefined) this.#fill();
  }

  #end(fault: Fault): void {
    if (this.#gone !== undefined) return;
    this.#gone = fault;
    this.#closed = closeLater(this.#raw);
    for (const sequence of [...this.#pending.keys()]) {
      this.#settle(sequence, (pending) => pending.reject(fault));
    }
    for (const pending of this.#waiting.splice(0)) pending.reject(fault);
  }
}

/** Throws `unavailable`. */
export async function openRequestSocket(protocol: number): Promise<RequestSocket> {
  const raw = await openRaw(protocol);
  try {
    await survivesOverrun(raw, protocol);
  } catch (error) {
    // The window alone must do then: it never lets answers pile up to an overrun.
    if (!isFault(error, 'unavailable')) throw error;
  }
  return new RequestSocket(raw);
}
