import type { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { Fault, messageOf } from '../base/fault.js';
import { loadLibc } from './libc.js';
import { netlinkSockets, ownSockets } from './socket-table.js';

const SOL_NETLINK = 270;
const NETLINK_NO_ENOBUFS = 5;
/** The kernel cuts it to net.core.rmem_max and doubles that. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

/**
 * A socket of the netlink package, unreferenced. Loaded on first use, and only the socket layer: the
 * package's main entry brings protocol tables that are not used here and cost 9 MiB and 50 ms.
 * Throws `unavailable`.
 */
export async function openRaw(protocol: number): Promise<RawNetlinkSocket> {
  try {
    const binding = await import('netlink/dist/raw.js');
    const raw = new binding.RawNetlinkSocket(protocol);
    raw.setRecvBufferSize(RECEIVE_BUFFER);
    raw.unref();
    return raw;
  } catch (error) {
    throw new Fault('unavailable', `no netlink socket can be opened: ${messageOf(error)}`, {
      reason: 'no-netlink',
      cause: error,
    });
  }
}

/**
 * Has the kernel drop what does not fit into the receive buffer without an error on the socket: the
 * package's poll callback throws over that error in native code, and the process is aborted
 * (measured). Rejects with `unavailable` where it cannot be set.
 */
export async function survivesOverrun(raw: RawNetlinkSocket, protocol: number): Promise<void> {
  const libc = await loadLibc();
  const { port } = raw.address();
  const socket = netlinkSockets().find((each) => each.protocol === protocol && each.port === port);
  const descriptor = ownSockets().get(socket?.inode ?? '');
  const on = Buffer.from([1, 0, 0, 0]);
  if (
    descriptor === undefined ||
    libc.setOption(descriptor, SOL_NETLINK, NETLINK_NO_ENOBUFS, on) !== 0
  ) {
    throw new Fault('unavailable', 'a netlink socket cannot be protected against overrun', {
      reason: 'no-netlink',
      details: { port, descriptor },
    });
  }
}

/** How many messages the kernel could not deliver to this socket so far. */
export function dropsOf(raw: RawNetlinkSocket, protocol: number): number {
  const { port } = raw.address();
  return (
    netlinkSockets().find((each) => each.protocol === protocol && each.port === port)?.drops ?? 0
  );
}

/**
 * Closes it, but never at once: the caller may run inside the addon's poll callback (every awaited
 * answer does), and that goes on to use what closing frees.
 */
export function closeLater(raw: RawNetlinkSocket): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => {
      raw.close();
      resolve();
    });
  });
}

export function lost(error: unknown): Fault {
  if (error instanceof Fault) return error;
  return new Fault('unavailable', `the netlink socket was lost: ${messageOf(error)}`, {
    reason: 'socket-lost',
    cause: error,
  });
}
