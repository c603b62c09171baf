import { Fault } from '../../base/index.js';
import {
  commitOrConflict,
  resourceKey,
  ROOT,
  type Entry,
  type Store,
} from '../../datastore/index.js';
import { initialObjects } from '../../model/v3/index.js';
import { isMovable, readDatastoreFile, type StoredText } from '../datastore-file.js';
import type { Io } from '../io.js';
import type { SharedOptions } from '../session.js';

export interface DatastoreImportOptions extends SharedOptions {
  readonly filename: string;
}

/** Far below what etcd takes in one transaction, in keys and in bytes. */
const MOST_KEYS = 100;
const MOST_BYTES = 512 * 1024;

const CLUSTER = resourceKey('clusterinformations', 'default');

/**
 * datastore migrate import: into a datastore that holds nothing but what every new one has, or a part of this very file.
 * ClusterInformation comes last, locked as it was exported: until then it is no cluster that a host would join.
 */
export async function datastoreImportCommand(
  io: Io,
  options: DatastoreImportOptions,
): Promise<number> {
  const { filename } = options;
  const text = filename === '-' ? await io.files.readStdin() : await io.files.readText(filename);
  const wanted = readDatastoreFile(text, filename === '-' ? 'standard input' : filename);
  const store = await io.openStore({ ...options, unused: true });
  try {
    const { entries } = await store.list(ROOT);
    const present = new Map(entries.map((entry) => [entry.key, entry]));
    refuseOthers(io, store, wanted, present);
    const missing = wanted.filter(({ key, value }) => present.get(key)?.value !== value);
    const last = missing.filter(({ key }) => key === CLUSTER);
    for (const part of parts(missing.filter(({ key }) => key !== CLUSTER))) {
      await write(store, part, present);
    }
    await write(store, last, present);
    io.out(
      `Successfully imported ${wanted.length} keys; calicoctl datastore migrate unlock ends the migration\n`,
    );
    return 0;
  } finally {
    await store.close();
  }
}

/** A datastore in use is not written over. */
function refuseOthers(
  io: Io,
  store: Store,
  wanted: readonly StoredText[],
  present: ReadonlyMap<string, Entry>,
): void {
  const initial = new Set(
    initialObjects(io.newUid, io.now()).map(({ plural, name }) => resourceKey(plural, name)),
  );
  const values = new Map(wanted.map(({ key, value }) => [key, value]));
  const others = [...present.values()].filter(
    ({ key, value }) => isMovable(key) && !initial.has(key) && values.get(key) !== value,
  );
  const [first] = others;
  if (first === undefined) return;
  throw new Fault(
    'refused',
    `the datastore at ${store.description} is in use: it has ${others.length} keys that are not in the file, such as ${first.key}; import into an empty one (an embedded one is emptied by moving its folder away)`,
    { reason: 'datastore-in-use' },
  );
}

function* parts(all: readonly StoredText[]): Generator<readonly StoredText[]> {
  let part: StoredText[] = [];
  let bytes = 0;
  for (const one of all) {
    const size = Buffer.byteLength(one.key) + Buffer.byteLength(one.value);
    if (part.length > 0 && (part.length >= MOST_KEYS || bytes + size > MOST_BYTES)) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(one);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

async function write(
  store: Store,
  part: readonly StoredText[],
  present: ReadonlyMap<string, Entry>,
): Promise<void> {
  if (part.length === 0) return;
  const compares = part.map(({ key }) => ({ key, revision: present.get(key)?.revision ?? 0n }));
  await commitOrConflict(store, { compares, writes: part }, 'the datastore');
}
