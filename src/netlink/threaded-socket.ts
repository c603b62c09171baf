import { Fault } from '../base/fault.js';
import { loadLibc, type Libc } from './libc.js';
import {
  Answer,
  ANSWER_BOUND_MS,
  repeatDump,
  type NetlinkRequest,
  type Requests,
} from './request.js';
import { decodeMessages, encodeMessage, NLM_F_ACK, NLM_F_REQUEST, type Message } from './wire.js';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0x8_0003;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
/** The kernel fills datagrams of a dump up to 32 KiB. */
const DATAGRAM = 64 * 1024;

/**
 * A request socket for work that holds its thread in the kernel, where deleting a veth pair takes
 * 16 ms and walking a large conntrack table as long: system calls run on a thread of the pool, only
 * the answers are read on the event loop. One request at a time.
 *
 * Not a worker thread with the netlink package: the process crashes when such a thread ends, or the
 * process exits, while the package's socket is open (measured), and the thread takes 11 MiB.
 */
export class ThreadedSocket implements Requests {
  readonly #libc: Libc;
  readonly #descriptor: number;
  #sequence = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #gone: Fault | undefined;

  private constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
  }

  /** Throws `unavailable` when koffi or the C library cannot be used, or no socket is to be had. */
  static async open(protocol: number): Promise<ThreadedSocket> {
    const libc = await loadLibc();
    const descriptor = libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
    if (descriptor < 0) throw unusable('socket() failed');
    // struct timeval of a 64-bit system: seconds, microseconds.
    const bound = Buffer.alloc(16);
    bound.writeBigInt64LE(BigInt(ANSWER_BOUND_MS / 1000));
    if (libc.setOption(descriptor, SOL_SOCKET, SO_RCVTIMEO, bound) !== 0) {
      libc.close(descriptor);
      throw unusable('its receive timeout cannot be set');
    }
    return new ThreadedSocket(libc, descriptor);
  }

  get gone(): boolean {
    return this.#gone !== undefined;
  }

  async request(request: NetlinkRequest): Promise<readonly Message[]> {
    return (await this.#queue(() => this.#exchange(request))).messages;
  }

  async dump(request: NetlinkRequest): Promise<readonly Message[]> {
    return this.#queue(() => repeatDump(request, (dump) => this.#exchange(dump)));
  }

  /** After the requests that were made before. */
  async close(): Promise<void> {
    await this.#queue(async () =>
      this.#end(new Fault('unavailable', 'the netlink socket is closed', { reason: 'closed' })),
    );
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #exchange({ what, type, flags = 0, parts }: NetlinkRequest): Promise<Answer> {
    if (this.#gone !== undefined) throw this.#gone;
    this.#sequence = (this.#sequence % 0xffff_fffe) + 1;
    const sequence = this.#sequence;
    const message = encodeMessage(type, flags | NLM_F_REQUEST | NLM_F_ACK, sequence, parts);
    if ((await this.#libc.send(this.#descriptor, message)) !== message.length) {
      throw this.#end(unusable('send() failed'));
    }
    const answer = new Answer();
    while (!answer.complete) {
      for (const part of await this.#receive()) if (part.sequence === sequence) answer.add(part);
    }
    return answer.check(what);
  }

  async #receive(): Promise<readonly Message[]> {
    const datagram = Buffer.allocUnsafe(DATAGRAM);
    const length = await this.#libc.receive(this.#descriptor, datagram);
    // Which errno it was the pool's thread keeps to itself; no answer in time is the likely one.
    if (length <= 0) throw this.#end(unusable(`no answer within ${ANSWER_BOUND_MS / 1000} s`));
    return decodeMessages(datagram.subarray(0, length));
  }

  #end(fault: Fault): Fault {
    if (this.#gone === undefined) this.#libc.close(this.#descriptor);
    this.#gone ??= fault;
    return fault;
  }
}

function unusable(why: string): Fault {
  return new Fault('unavailable', `no netlink socket off the event loop: ${why}`, {
    reason: 'no-netlink',
  });
}
