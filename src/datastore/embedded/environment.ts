import { randomBytes } from 'node:crypto';
import { open as openFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { Fault, invariant, messageOf } from '../../base/index.js';
import type { Entry } from '../index.js';

/** Inside a write transaction: what is read includes what this transaction wrote. */
export interface Writer {
  get(key: string): Entry | undefined;
  put(key: string, value: string, revision: bigint): void;
  /** True when there was something to remove. */
  remove(key: string): boolean;
  markHeld(key: string, held: boolean): void;
  heldKeys(): string[];
  revision(): bigint;
  setRevision(revision: bigint): void;
}

/** One opened lmdb file. Reads are synchronous and see what is durable. Not to be used once closed. */
export interface Environment {
  readonly id: string;
  readonly closed: boolean;
  revision(): bigint;
  get(key: string): Entry | undefined;
  /** Keys below the prefix in the order of their bytes. */
  below(prefix: string): Entry[];
  /** Settles when the work is on the disk; rejects when the transaction failed, after which this environment must be closed. */
  write<T>(work: (writer: Writer) => T): Promise<T>;
  close(): Promise<void>;
}

const FORMAT = '1';
const FILE = 'datastore.mdb';
const REVISION_BYTES = 8;

type Binary = Database<Buffer, Buffer>;

/** Opens or creates the file. Faults: `refused` (not permitted), `corrupt` (not ours, or damaged). */
export async function openEnvironment(directory: string): Promise<Environment> {
  const path = join(directory, FILE);
  await checkHeader(path);
  const { open } = await import('lmdb');
  let root: RootDatabase<Buffer, Buffer>;
  try {
    // Without overlapping sync a transaction resolves only after fdatasync. Batching by event turn makes
    // a second promise for each failed commit, which nobody can catch; the queue batches by itself.
    const durable = { overlappingSync: false, eventTurnBatching: false } as const;
    const options = { noSubdir: true, maxDbs: 4, ...durable } as const;
    root = open<Buffer, Buffer>({ path, ...options, encoding: 'binary', keyEncoding: 'binary' });
  } catch (error) {
    throw openFault(path, error);
  }
  try {
    return await environmentOf(root, path);
  } catch (error) {
    await root.close();
    throw error instanceof Fault ? error : openFault(path, error);
  }
}

/** Both meta pages of LMDB's format: page header of 24 bytes, then the magic number. */
const META_PAGES = [0, 4096];
const MAGIC_OFFSET = 24;
const MAGIC = 0xbeefc0de;

/** lmdb ends the process when it is given a file that is none of its own. */
async function checkHeader(path: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await openFile(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw openFault(path, error);
  }
  try {
    if ((await file.stat()).size === 0) return;
    for (const page of META_PAGES) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, page + MAGIC_OFFSET);
      if (bytesRead === 4 && buffer.readUInt32LE(0) === MAGIC) continue;
      const message = `the embedded datastore ${path} is damaged or not one: put a backup in its place, or move it away`;
      throw new Fault('corrupt', message, { reason: 'not-a-datastore' });
    }
  } finally {
    await file.close();
  }
}

function openFault(path: string, error: unknown): Fault {
  const why = messageOf(error);
  const damaged = /invalid|corrupt|version|page not found/i.test(why);
  return damaged
    ? new Fault('corrupt', `the embedded datastore ${path} is damaged or not one: ${why}`, {
        cause: error,
      })
    : new Fault('refused', `the embedded datastore ${path} cannot be opened: ${why}`, {
        reason: 'cannot-open',
        cause: error,
      });
}

async function environmentOf(
  root: RootDatabase<Buffer, Buffer>,
  path: string,
): Promise<Environment> {
  const coding = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const data: Binary = root.openDB('data', coding);
  const meta: Binary = root.openDB('meta', coding);
  const holds: Binary = root.openDB('holds', coding);
  const writer = writerOf(data, meta, holds);
  if (meta.get(Buffer.from('format')) === undefined) {
    invariant(data.getCount() === 0, `${path} has data, but no identity`);
    await root.transaction(() => {
      // Inside a transaction puts are done when it is: its own promise tells.
      void meta.put(Buffer.from('format'), Buffer.from(FORMAT));
      void meta.put(Buffer.from('id'), Buffer.from(randomBytes(8).toString('hex')));
      // As in etcd, an empty store is at revision 1.
      writer.setRevision(1n);
    });
  }
  const format = meta.get(Buffer.from('format'))?.toString();
  if (format !== FORMAT) {
    throw new Fault(
      'corrupt',
      `the embedded datastore ${path} has format ${format}, this program knows ${FORMAT}: use the newer program`,
    );
  }
  const id = meta.get(Buffer.from('id'))?.toString() ?? '';
  let closed = false;
  return {
    id,
    get closed() {
      return closed;
    },
    revision: writer.revision,
    get: writer.get,
    below: (prefix) => below(data, prefix),
    write: (work) => writeDurably(root, () => work(writer)),
    close: async () => {
      if (closed) return;
      closed = true;
      await root.close();
    },
  };
}

/** For a failed commit lmdb rejects with an error that holds another promise, which has the reason. */
async function writeDurably<T>(root: RootDatabase<Buffer, Buffer>, work: () => T): Promise<T> {
  try {
    return await root.transaction(work);
  } catch (error) {
    const inner = error instanceof Error && 'commitError' in error ? error.commitError : undefined;
    if (!(inner instanceof Promise)) throw error;
    throw await inner.then(
      () => error,
      (cause: unknown) => cause,
    );
  }
}

function entryOf(key: string, stored: Buffer): Entry {
  const revision = stored.readBigUInt64BE(0);
  return { key, value: stored.toString('utf8', REVISION_BYTES), revision };
}

function writerOf(data: Binary, meta: Binary, holds: Binary): Writer {
  const revisionKey = Buffer.from('revision');
  return {
    get: (key) => {
      const stored = data.get(Buffer.from(key));
      return stored === undefined ? undefined : entryOf(key, stored);
    },
    put: (key, value, revision) => {
      const stored = Buffer.allocUnsafe(REVISION_BYTES + Buffer.byteLength(value));
      stored.writeBigUInt64BE(revision, 0);
      stored.write(value, REVISION_BYTES, 'utf8');
      data.putSync(Buffer.from(key), stored);
    },
    remove: (key) => data.removeSync(Buffer.from(key)),
    markHeld: (key, held) => {
      if (held) holds.putSync(Buffer.from(key), Buffer.alloc(0));
      else holds.removeSync(Buffer.from(key));
    },
    heldKeys: () => [...holds.getKeys()].map((key) => key.toString('utf8')),
    revision: () => meta.get(revisionKey)?.readBigUInt64BE(0) ?? 0n,
    setRevision: (revision) => {
      const stored = Buffer.alloc(REVISION_BYTES);
      stored.writeBigUInt64BE(revision, 0);
      meta.putSync(revisionKey, stored);
    },
  };
}

function below(data: Binary, prefix: string): Entry[] {
  const start = Buffer.from(prefix);
  const found: Entry[] = [];
  for (const { key, value } of data.getRange(start.length === 0 ? {} : { start })) {
    if (!key.subarray(0, start.length).equals(start)) break;
    found.push(entryOf(key.toString('utf8'), value));
  }
  return found;
}
