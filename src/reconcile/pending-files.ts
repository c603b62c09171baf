import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint, Fault, messageOf } from '../base/index.js';

/** Calls that Docker makes once and forgets, whatever we answer (protocol §0.14). */
export const pendingKinds = [
  'release-address',
  'delete-endpoint',
  'delete-network',
  'release-pool',
] as const;
export type PendingKind = (typeof pendingKinds)[number];

/** One call that is still to be done in the store. */
export interface PendingWork {
  /** The same kind and payload have the same id: a repeated call is one work. */
  readonly id: string;
  readonly kind: PendingKind;
  readonly payload: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly recordedAt: number;
}

const SUFFIX = '.json';
const TEMPORARY = '.tmp';

export function workOf(
  kind: PendingKind,
  payload: Readonly<Record<string, string>>,
  recordedAt: number,
): PendingWork {
  const sorted = Object.entries(payload).sort(([one], [other]) => (one < other ? -1 : 1));
  const id = createHash('sha256')
    .update(JSON.stringify([kind, sorted]))
    .digest('hex')
    .slice(0, 32);
  return { id, kind, payload, recordedAt };
}

export interface LoadedWork {
  /** Oldest first. */
  readonly work: readonly PendingWork[];
  /** Names of files that cannot be understood; they are left where they are. */
  readonly damaged: readonly string[];
}

/** Reads the folder, making it when it is absent, and removes what a crash left half written. */
export async function loadWork(directory: string): Promise<LoadedWork> {
  const work: PendingWork[] = [];
  const damaged: string[] = [];
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      if (name.endsWith(TEMPORARY)) {
        // Never renamed, so its `record` never resolved and the call was answered as failed.
        await rm(path, { force: true });
      } else if (name.endsWith(SUFFIX)) {
        const found = parseWork(await readFile(path, 'utf8'));
        if (found !== undefined && `${found.id}${SUFFIX}` === name) work.push(found);
        else damaged.push(name);
      }
    }
  } catch (error) {
    throw folderFault(directory, error);
  }
  work.sort((one, other) => one.recordedAt - other.recordedAt || (one.id < other.id ? -1 : 1));
  return { work, damaged };
}

/** Resolves when the file and its name are on the disk. */
export async function storeWork(directory: string, work: PendingWork): Promise<void> {
  const temporary = join(directory, `${work.id}.${randomUUID()}${TEMPORARY}`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(work)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    failpoint('pending.store:before');
    await rename(temporary, join(directory, `${work.id}${SUFFIX}`));
    const folder = await open(directory, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    failpoint('pending.store:after');
  } catch (error) {
    await rm(temporary, { force: true });
    throw folderFault(directory, error);
  }
}

/** Needs no sync: work that comes back after a power cut is done once more, and finds nothing to do. */
export async function removeWork(directory: string, id: string): Promise<void> {
  failpoint('pending.remove:before');
  try {
    await rm(join(directory, `${id}${SUFFIX}`), { force: true });
  } catch (error) {
    throw folderFault(directory, error);
  }
}

function parseWork(text: string): PendingWork | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, kind, payload, recordedAt } = value as Record<string, unknown>;
  const known = pendingKinds.find((one) => one === kind);
  if (typeof id !== 'string' || known === undefined || typeof recordedAt !== 'number')
    return undefined;
  if (typeof payload !== 'object' || payload === null) return undefined;
  const pairs = Object.entries(payload);
  if (!pairs.every((pair): pair is [string, string] => typeof pair[1] === 'string'))
    return undefined;
  return { id, kind: known, payload: Object.fromEntries(pairs), recordedAt };
}

function folderFault(directory: string, error: unknown): Fault {
  const message = `cannot use ${directory}: ${messageOf(error)}; the state folder must be writable and have room`;
  return new Fault('unavailable', message, { reason: 'state-folder', cause: error });
}
