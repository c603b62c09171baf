import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, readlink, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, messageOf, type Log } from '../../base/index.js';

/** The one process that uses a directory. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** Who holds a lock: a pid alone comes back after a while, with its start time and the boot it does not. */
interface Holder {
  readonly pid: number;
  /** Clock ticks after boot (field 22 of /proc/PID/stat). */
  readonly start: string;
  readonly boot: string;
  /** Identity of the pid namespace; a pid of another one says nothing here. */
  readonly namespace: string;
}

const LOCK = 'lock';

/** How often a lock that is stale or vanishes is tried again before giving up. */
const ATTEMPTS = 10;

/**
 * Creates the directory (0700) and its lock file. `refused` names the live process that has it. A lock
 * whose process is gone, by start time and boot, is taken over. The file is made complete under
 * another name and linked, so nobody reads half of one.
 */
export async function lockDirectory(directory: string, log: Log): Promise<DirectoryLock> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return await acquire(directory, log);
  } catch (error) {
    if (error instanceof Fault) throw error;
    const message = `the embedded datastore cannot use the folder ${directory}: ${messageOf(error)}`;
    throw new Fault('refused', message, { reason: 'cannot-open', cause: error });
  }
}

async function acquire(directory: string, log: Log): Promise<DirectoryLock> {
  const path = join(directory, LOCK);
  const own = await holderOf(process.pid);
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (await linked(draft, path)) {
        const { ino } = await stat(path);
        return { release: () => release(path, ino) };
      }
      await removeStale(path, directory, log);
    }
  } finally {
    await unlink(draft);
  }
  throw new Fault('refused', `${directory} is taken and left by others all the time`, {
    reason: 'locked',
  });
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function release(path: string, ino: number): Promise<void> {
  try {
    if ((await stat(path)).ino === ino) await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Throws `refused` when the holder lives; otherwise the lock is out of the way, or somebody else's already. */
async function removeStale(path: string, directory: string, log: Log): Promise<void> {
  const aside = `${path}.stale.${randomBytes(4).toString('hex')}`;
  let seen: number;
  try {
    seen = (await stat(path)).ino;
    const holder = parseHolder(await readFile(path, 'utf8'));
    if (holder !== undefined && (await isAlive(holder))) throw inUse(directory, holder);
    log.warn({ directory, holder }, 'taking over the lock of a process that is gone');
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  // Between look and rename another may have taken the stale lock over: then this one is alive.
  if ((await stat(aside)).ino !== seen) await linked(aside, path);
  await unlink(aside);
}

function inUse(directory: string, { pid }: Holder): Fault {
  const who = pid === process.pid ? 'this process itself' : `process ${pid}`;
  return new Fault(
    'refused',
    `the embedded datastore at ${directory} is in use by ${who} (pid ${pid}): stop that one first`,
    { reason: 'locked', details: { pid, directory } },
  );
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    const { pid, start, boot, namespace } = value ?? {};
    if (typeof pid !== 'number' || !start || !boot || !namespace) return undefined;
    return { pid, start, boot, namespace };
  } catch {
    return undefined; // Not a lock that any version of this program wrote: as good as none.
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  const [boot, namespace] = await Promise.all([bootId(), pidNamespace()]);
  if (holder.boot !== boot || holder.namespace !== namespace) return false;
  try {
    return (await startTime(holder.pid)) === holder.start;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function holderOf(pid: number): Promise<Holder> {
  const [start, boot, namespace] = await Promise.all([startTime(pid), bootId(), pidNamespace()]);
  return { pid, start, boot, namespace };
}

const bootId = async (): Promise<string> =>
  (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
const pidNamespace = (): Promise<string> => readlink('/proc/self/ns/pid');

/** Field 22 of proc(5)'s stat; the command name before it may hold spaces and parentheses. */
async function startTime(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? '';
}
