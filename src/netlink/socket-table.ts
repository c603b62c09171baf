import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A netlink socket of this network namespace, whoever's. */
export interface NetlinkSocket {
  readonly protocol: number;
  /** Its address; one of a protocol has it in the namespace. */
  readonly port: number;
  /** Messages that the kernel could not deliver because the receive buffer was full. */
  readonly drops: number;
  readonly inode: string;
}

/** All of them, as the kernel lists them. */
export function netlinkSockets(): readonly NetlinkSocket[] {
  const [, ...lines] = readFileSync('/proc/self/net/netlink', 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [, protocol, port, , , , , , drops, inode = ''] = line.split(/\s+/);
    return { protocol: Number(protocol), port: Number(port), drops: Number(drops), inode };
  });
}

/** Inode → descriptor of the sockets that this process has open. */
export function ownSockets(): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const descriptor of readdirSync('/proc/self/fd')) {
    const inode = /^socket:\[(\d+)\]$/.exec(target(descriptor))?.[1];
    if (inode !== undefined) found.set(inode, Number(descriptor));
  }
  return found;
}

const known = new Map<number, ReadonlySet<number>>();

/**
 * Whether a socket of this process has this port. A notification names the port that caused it, and
 * its process id is of little use: the kernel gives the *thread* that sent, which is one of libuv's
 * pool, as the first PID namespace numbers it.
 */
export function isOwnPort(protocol: number, port: number): boolean {
  if (known.get(protocol)?.has(port) === true) return true;
  const own = ownSockets();
  const ports = netlinkSockets()
    .filter((socket) => socket.protocol === protocol && own.has(socket.inode))
    .map((socket) => socket.port);
  known.set(protocol, new Set(ports));
  return ports.includes(port);
}

function target(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // Closed since the folder was read, as the descriptor for reading it always is.
    return '';
  }
}
