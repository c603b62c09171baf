import { randomBytes } from 'node:crypto';
import {
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  unlink,
  writeFile,
} from 'node:fs/promises';
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

const LOCK = 'lock.';
const LOCK_NAME = /^lock\.(\d+)$/;

/** How often a lock that others take or leave meanwhile is looked at again. */
const ATTEMPTS = 100;

/**
 * Creates the directory (0700) and takes its lock. `refused` names the live process that has it.
 *
 * Locks are numbered files `lock.N`; the highest number counts. Whoever finds the highest released, or
 * its process gone (by start time and boot), creates the next number, which only one can. Only the
 * holder removes lower numbers, and the highest is never removed, so a slow starter cannot take a
 * number that was in use before: it finds a higher one and withdraws. A file is made complete under
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
  const draft = join(directory, `draft.${process.pid}.${randomBytes(4).toString('hex')}`);
  await writeFile(draft, JSON.stringify(await holderOf(process.pid)), { mode: 0o600 });
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const numbers = await lockNumbers(directory);
      const highest = numbers.at(-1) ?? 0;
      if (highest > 0) await refuseLive(directory, highest, log);
      const path = join(directory, `${LOCK}${highest + 1}`);
      if (!(await linked(draft, path))) continue;
      if ((await lockNumbers(directory)).at(-1) === highest + 1) {
        for (const number of numbers) await removed(join(directory, `${LOCK}${number}`));
        return { release: () => release(directory, path) };
      }
      await removed(path);
    }
  } finally {
    await unlink(draft);
  }
  const message = `the embedded datastore at ${directory} is taken and left by others all the time`;
  throw new Fault('refused', message, { reason: 'locked' });
}

/** Ascending. */
async function lockNumbers(directory: string): Promise<number[]> {
  const numbers = (await readdir(directory)).flatMap((name) => {
    const [, digits] = LOCK_NAME.exec(name) ?? [];
    return digits === undefined ? [] : [Number(digits)];
  });
  return numbers.sort((a, b) => a - b);
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

async function removed(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Leaves the number in use, with no holder in it. */
async function release(directory: string, path: string): Promise<void> {
  const draft = join(directory, `draft.${process.pid}.${randomBytes(4).toString('hex')}`);
  try {
    await writeFile(draft, RELEASED, { mode: 0o600 });
    await rename(draft, path);
  } catch (error) {
    // The folder may be gone, or the disk full; the lock ends with this process in any case.
    if (!isMissing(error)) await removed(draft);
  }
}

const RELEASED = '{}';

/** Throws `refused` when the holder of this number lives. */
async function refuseLive(directory: string, number: number, log: Log): Promise<void> {
  let text: string;
  try {
    text = await readFile(join(directory, `${LOCK}${number}`), 'utf8');
  } catch (error) {
    if (isMissing(error)) return; // A higher number came meanwhile.
    throw error;
  }
  const holder = parseHolder(text);
  if (holder === undefined) return;
  if (await isAlive(holder)) throw inUse(directory, holder);
  log.warn(
    { directory, holder },
    'the process that used this datastore before ended without closing it',
  );
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
