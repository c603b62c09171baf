import type { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { Fault, messageOf } from '../base/fault.js';

const NETLINK_NETFILTER = 12;
const NFNLGRP_NFTABLES = 7;
const NFNL_SUBSYS_NFTABLES = 10;
/** The last message of a transaction. */
const NFT_MSG_NEWGEN = 15;
const HEADER = 16;
/** Header, struct nfgenmsg, attribute header. */
const TABLE_NAME = HEADER + 4 + 4;
const families: ReadonlyMap<number, string> = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
]);
const RECEIVE_BUFFER = 8 * 1024 * 1024;

export interface ChangeListener {
  /** Ends the subscription. */
  readonly stop: AbortSignal;
  /** From now on every change is heard. */
  readonly onJoined: () => void;
  /** The netlink socket with this port committed a transaction that touched these tables. */
  readonly onChange: (port: number, tables: ReadonlySet<string>) => void;
}

/**
 * Listens to the kernel's nftables notifications until stopped (then it resolves) or until the
 * socket is lost, as it is when they come faster than they are read (`unavailable`).
 */
export async function subscribeToChanges(listener: ChangeListener): Promise<void> {
  const raw = await open();
  const reader = new TransactionReader(listener.onChange);
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void =>
        reject(
          new Fault('unavailable', `the nftables socket was lost: ${messageOf(error)}`, {
            reason: 'socket-lost',
            cause: error,
          }),
        );
      listener.stop.addEventListener('abort', () => resolve(), { once: true });
      raw.on('error', fail);
      raw.on('message', (datagram) => {
        // The addon ends the process over an exception that leaves this function.
        try {
          reader.read(datagram);
        } catch (error) {
          fail(error);
        }
      });
      raw.unref();
      if (listener.stop.aborted) resolve();
      else listener.onJoined();
    });
  } finally {
    // Not at once: this may run inside the addon's poll callback, which uses what closing frees.
    setImmediate(() => raw.close());
  }
}

async function open(): Promise<RawNetlinkSocket> {
  try {
    const binding = await import('netlink/dist/raw.js');
    const raw = new binding.RawNetlinkSocket(NETLINK_NETFILTER);
    raw.setRecvBufferSize(RECEIVE_BUFFER);
    raw.addMembership(NFNLGRP_NFTABLES);
    return raw;
  } catch (error) {
    throw new Fault('unavailable', `nftables cannot be listened to: ${messageOf(error)}`, {
      reason: 'no-netlink',
      cause: error,
    });
  }
}

/** Puts the messages of a transaction together; one may need several datagrams. */
class TransactionReader {
  readonly #onChange: ChangeListener['onChange'];
  #tables = new Set<string>();

  constructor(onChange: ChangeListener['onChange']) {
    this.#onChange = onChange;
  }

  read(datagram: Buffer): void {
    for (let at = 0; at + HEADER <= datagram.length;) {
      const length = datagram.readUInt32LE(at);
      if (length < HEADER || at + length > datagram.length) {
        throw new Error(`a notification of ${length} bytes in a datagram of ${datagram.length}`);
      }
      this.#take(datagram.subarray(at, at + length));
      at += (length + 3) & ~3;
    }
  }

  #take(message: Buffer): void {
    const type = message.readUInt16LE(4);
    if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return;
    if ((type & 0xff) === NFT_MSG_NEWGEN) {
      const tables = this.#tables;
      this.#tables = new Set();
      this.#onChange(message.readUInt32LE(12), tables);
    } else if (message.length > TABLE_NAME) {
      // Of every other kind of message the first attribute is the table's name.
      const family = message.readUInt8(HEADER);
      const name = message.toString('utf8', TABLE_NAME, message.indexOf(0, TABLE_NAME));
      this.#tables.add(`${families.get(family) ?? family} ${name}`);
    }
  }
}
