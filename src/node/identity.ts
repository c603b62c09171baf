import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault, messageOf } from '../base/index.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The datastore that this host belongs to; kept so that a lost configuration is noticed (product.md §4). */
export interface RecordedDatastore {
  readonly type: 'etcdv3' | 'embedded';
  /** Identity of the store itself, `Store.identify().id`. */
  readonly storeId: string;
  /** `clusterGUID` of its ClusterInformation. */
  readonly clusterGuid: string;
  /** A revision that it has had. */
  readonly revision?: bigint;
  /** The epoch in which this host claimed the addresses of its containers, as `formatEpoch` writes it. */
  readonly epoch?: string;
  /** What this host counted there last. */
  readonly count?: number;
  /** All hosts that had a record there. */
  readonly hosts?: readonly string[];
  /** Why it is known to be another one by now; until the addresses of running containers are claimed there. */
  readonly exchanged?: string;
}

/**
 * This host's UUID: made once, then only read. Several callers at once agree on one.
 * Throws `corrupt` when the file holds something else: a new UUID would disown every address of the host.
 */
export async function loadHostUuid(
  stateDir: string,
): Promise<{ readonly uuid: string; readonly made: boolean }> {
  const path = join(stateDir, 'host-uuid');
  const stored = await readText(path);
  if (stored !== undefined) return { uuid: checkUuid(stored, path), made: false };
  const uuid = randomUUID();
  const made = await writeDurably(path, `${uuid}\n`, { onlyIfAbsent: true });
  if (made) return { uuid, made };
  return { uuid: checkUuid((await readText(path)) ?? '', path), made: false };
}

function checkUuid(text: string, path: string): string {
  if (UUID.test(text)) return text;
  const message = `${path} holds "${text.slice(0, 40)}", no UUID; restore it, or remove it to give up this host's addresses`;
  throw new Fault('corrupt', message, { reason: 'bad-host-uuid' });
}

/** The node name of an earlier start, or undefined. */
export async function recordedNodename(stateDir: string): Promise<string | undefined> {
  const text = await readText(join(stateDir, 'nodename'));
  return text === '' ? undefined : text;
}

/** Writes the node name where Calico's own programs look for it; does nothing when it stands there already. */
export async function recordNodename(stateDir: string, name: string): Promise<void> {
  if ((await recordedNodename(stateDir)) === name) return;
  await writeDurably(join(stateDir, 'nodename'), `${name}\n`);
}

/** The datastore of an earlier start, or undefined on a host that never had one. */
export async function recordedDatastore(stateDir: string): Promise<RecordedDatastore | undefined> {
  const path = datastorePath(stateDir);
  const text = await readText(path);
  if (text === undefined) return undefined;
  const parsed = parseRecord(text);
  if (parsed !== undefined) return parsed;
  const message = `${path} cannot be understood; restore it, or remove it if this host shall join another datastore`;
  throw new Fault('corrupt', message, { reason: 'bad-datastore-record' });
}

/** Records the datastore; call it after the first successful registration. Does nothing when unchanged. */
export async function recordDatastore(stateDir: string, record: RecordedDatastore): Promise<void> {
  const { revision, ...rest } = record;
  const written = { ...rest, ...(revision === undefined ? {} : { revision: String(revision) }) };
  const text = `${JSON.stringify(written)}\n`;
  if ((await readText(datastorePath(stateDir))) === text.trim()) return;
  await writeDurably(datastorePath(stateDir), text);
}

/** Keeps that another datastore answers, so that no crash forgets it; does nothing on a host that had none. */
export async function recordExchange(stateDir: string, why: string): Promise<void> {
  const recorded = await recordedDatastore(stateDir);
  if (recorded !== undefined) await recordDatastore(stateDir, { ...recorded, exchanged: why });
}

const datastorePath = (stateDir: string): string => join(stateDir, 'datastore.json');

function parseRecord(text: string): RecordedDatastore | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { type, storeId, clusterGuid, revision, epoch, count, hosts, exchanged } =
      value as Record<string, unknown>;
    if (type !== 'etcdv3' && type !== 'embedded') return undefined;
    if (typeof storeId !== 'string' || typeof clusterGuid !== 'string') return undefined;
    return {
      ...{ type, storeId, clusterGuid },
      ...(typeof revision === 'string' && /^\d+$/.test(revision)
        ? { revision: BigInt(revision) }
        : {}),
      ...(typeof epoch === 'string' ? { epoch } : {}),
      ...(typeof count === 'number' ? { count } : {}),
      ...(typeof exchanged === 'string' ? { exchanged } : {}),
      ...(Array.isArray(hosts) ? { hosts: hosts.filter((one) => typeof one === 'string') } : {}),
    };
  } catch {
    // The caller turns "not understood" into its own fault with the path.
    return undefined;
  }
}

/** The kernel's boot id: changes with every boot and is never copied with a disk image. */
export async function readBootId(path = '/proc/sys/kernel/random/boot_id'): Promise<string> {
  const text = await readText(path);
  if (text !== undefined && text !== '') return text;
  throw new Fault('unavailable', `cannot read the boot id from ${path}; is /proc mounted?`, {
    reason: 'no-boot-id',
  });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw stateFault(path, error);
  }
}

/**
 * Replaces a file so that after a power cut it has either the old or the whole new text. With
 * `onlyIfAbsent`, returns false and leaves the file alone when somebody else made it first.
 */
async function writeDurably(
  path: string,
  text: string,
  options: { readonly onlyIfAbsent?: boolean } = {},
): Promise<boolean> {
  const folder = dirname(path);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (options.onlyIfAbsent === true) return await linkIfAbsent(temporary, path, folder);
    await rename(temporary, path);
    await syncFolder(folder);
    return true;
  } catch (error) {
    await rm(temporary, { force: true });
    throw stateFault(path, error);
  }
}

/** rename() replaces, link() does not: of two processes only one makes the file. */
async function linkIfAbsent(temporary: string, path: string, folder: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(temporary, { force: true });
    await syncFolder(folder);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function stateFault(path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const message = `cannot use ${path}: ${messageOf(error)}; the state folder must be writable by the daemon`;
  return new Fault('unavailable', message, { reason: 'state-folder', cause: error });
}
