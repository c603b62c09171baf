import { readdir, readFile, readlink } from 'node:fs/promises';
import type { PublishedPort } from '../../model/index.js';

/** TCP_LISTEN, and of UDP a socket that is not connected. */
const STATES: Readonly<Record<string, string>> = { tcp: '0A', udp: '07' };

/** The program that has the port, as `nginx (pid 812)`; undefined when that cannot be found out. */
export async function describeUser({
  protocol,
  hostPort,
}: PublishedPort): Promise<string | undefined> {
  const inodes = new Set<string>();
  for (const table of [protocol, `${protocol}6`]) {
    const text = await readFile(`/proc/self/net/${table}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const port = Number.parseInt(local.split(':')[1] ?? '', 16);
      if (port === hostPort && state === STATES[protocol]) inodes.add(inode);
    }
  }
  if (inodes.size === 0) return undefined;
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) if (await hasSocket(pid, inodes)) return nameOf(pid);
  return undefined;
}

/** Processes end while they are looked at, and some are not ours to look into. */
async function hasSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const fd of await readdir(folder).catch(() => [])) {
    const target = await readlink(`${folder}/${fd}`).catch(() => '');
    const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
    if (inodes.has(inode)) return true;
  }
  return false;
}

async function nameOf(pid: string): Promise<string> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a program');
  return `${name.trim()} (pid ${pid})`;
}
