import { faultOfErrno } from './errno.js';
import { NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, type Message } from './wire.js';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/** Every answer must have come within this. */
export const ANSWER_BOUND_MS = 10_000;

const DUMP_TRIES = 5;

export interface NetlinkRequest {
  /** What the fault says was not possible, such as `cannot create veth cali0123`. */
  readonly what: string;
  readonly type: number;
  /** In addition to REQUEST and ACK. */
  readonly flags?: number;
  readonly parts: readonly Uint8Array[];
}

/** A way to ask the kernel; faults as port.ts says. */
export interface Requests {
  /** True once it can be used no more; open another one. */
  readonly gone: boolean;
  /** The messages that came before the acknowledgement. */
  request(request: NetlinkRequest): Promise<readonly Message[]>;
  /** All messages of a dump, repeated when the kernel says that it was interrupted. */
  dump(request: NetlinkRequest): Promise<readonly Message[]>;
  close(): Promise<void>;
}

/** The kernel's answer to one request, message by message. */
export class Answer {
  readonly messages: Message[] = [];
  interrupted = false;
  #errno: number | undefined;

  get complete(): boolean {
    return this.#errno !== undefined;
  }

  add(message: Message): void {
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) this.interrupted = true;
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
      this.#errno = message.body.length >= 4 ? -message.body.readInt32LE(0) : 0;
    } else {
      this.messages.push(message);
    }
  }

  /** Throws the fault of the errno that the kernel ended with. */
  check(what: string): this {
    if (this.#errno !== undefined && this.#errno > 0) throw faultOfErrno(what, this.#errno);
    return this;
  }
}

/**
 * A dump that the kernel interrupted, because its table changed meanwhile, may lack entries and is
 * repeated up to five times in all. The last is taken as it is: of a table that never rests the
 * monitor tells the rest.
 */
export async function repeatDump(
  request: NetlinkRequest,
  send: (request: NetlinkRequest) => Promise<Answer>,
): Promise<readonly Message[]> {
  const dump = { ...request, flags: (request.flags ?? 0) | NLM_F_DUMP };
  for (let tries = 1; ; tries += 1) {
    const answer = await send(dump);
    if (!answer.interrupted || tries === DUMP_TRIES) return answer.messages;
  }
}
