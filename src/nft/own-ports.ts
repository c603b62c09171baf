import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const NETLINK_NETFILTER = '12';
const own = new Set<number>();

/**
 * Whether a netfilter socket of this process has this port (netlink address). The kernel lists the
 * sockets of the namespace with port and inode, and a process' descriptors name their inodes.
 *
 * Ports and not process ids: in its notification the kernel gives the id of the *thread* that sent,
 * which is one of libuv's pool, as the first PID namespace numbers it.
 */
export function isOwnNetlinkPort(port: number): boolean {
  if (own.has(port)) return true;
  const found = netfilterSockets(ownInodes());
  own.clear();
  for (const each of found) own.add(each);
  return own.has(port);
}

function ownInodes(): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const descriptor of readdirSync('/proc/self/fd')) {
    const inode = /^socket:\[(\d+)\]$/.exec(target(descriptor))?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

function target(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // Closed since the folder was read, as the descriptor for reading it always is.
    return '';
  }
}

function netfilterSockets(inodes: ReadonlySet<string>): readonly number[] {
  const ports: number[] = [];
  for (const line of readFileSync('/proc/self/net/netlink', 'utf8').split('\n')) {
    const [, protocol, port, , , , , , , inode] = line.trim().split(/\s+/);
    if (protocol === NETLINK_NETFILTER && inode !== undefined && inodes.has(inode)) {
      ports.push(Number(port));
    }
  }
  return ports;
}
