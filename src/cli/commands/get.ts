import { Fault, isFault, messageOf } from '../../base/index.js';
import { resourceKey } from '../../datastore/index.js';
import { decodeResource, toAsNumber, type Kind, type TableContext } from '../../model/v3/index.js';
import { readInput } from '../input.js';
import type { Io } from '../io.js';
import {
  DEFAULT_NAMESPACE,
  idFromWords,
  idOf,
  notNamespaced,
  type ObjectId,
} from '../object-name.js';
import type { Objects, StoredObject } from '../objects.js';
import {
  columnsFor,
  parseOutput,
  renderDocument,
  renderTables,
  type Listing,
  type OutputFormat,
} from '../output.js';
import { both, kindNamed, withObjects, type SharedOptions } from '../session.js';

export interface GetOptions extends SharedOptions {
  readonly output: string;
  readonly allNamespaces?: boolean;
  readonly export?: boolean;
}

/** AS number of a cluster that has set none. */
const DEFAULT_AS = 64_512;

/** get: a whole kind, objects by name, or the objects that a file names. */
export async function getCommand(
  io: Io,
  words: readonly string[],
  options: GetOptions,
): Promise<number> {
  const format = parseOutput(options.output);
  const wanted = await wantedOf(io, words, options);
  if (wanted.kind !== undefined) columnsFor(wanted.kind, format, false);
  return withObjects(io, options, async (objects) => {
    const errors: string[] = [];
    const listings =
      wanted.kind === undefined
        ? await fetchEach(io, objects, wanted.ids, options, errors)
        : [await fetchAll(io, objects, wanted.kind, options)];
    await print(io, objects, listings, format, options);
    for (const error of errors) io.err(`${error}\n`);
    return errors.length > 0 ? 1 : 0;
  });
}

type Wanted =
  { readonly kind: Kind } | { readonly kind?: undefined; readonly ids: readonly ObjectId[] };

async function wantedOf(io: Io, words: readonly string[], options: GetOptions): Promise<Wanted> {
  const { filename, namespace, allNamespaces } = options;
  const [word, ...names] = words;
  if (filename !== undefined) {
    if (word !== undefined) throw both();
    const manifests = await readInput(io, { ...options, filename });
    return { ids: manifests.map(({ kind, resource }) => idOf(kind, resource, namespace)) };
  }
  const kind = failedToGet(() => kindNamed(word ?? ''));
  if (!kind.namespaced && namespace !== undefined) throw notNamespaced(kind);
  if (allNamespaces === true && namespace !== undefined) {
    throw new Fault('invalid', 'give either -n or --all-namespaces, not both', { reason: 'usage' });
  }
  if (names.length === 0) return { kind };
  if (allNamespaces === true) {
    const message = 'cannot use --all-namespace flag for getting a single resource';
    throw new Fault('invalid', message, { reason: 'usage' });
  }
  return { ids: names.map((name) => idFromWords(kind, name, namespace)) };
}

function failedToGet<T>(find: () => T): T {
  try {
    return find();
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    throw new Fault('invalid', `failed to get resources: ${messageOf(error)}`, { cause: error });
  }
}

async function fetchAll(
  io: Io,
  objects: Objects,
  kind: Kind,
  { namespace, allNamespaces }: GetOptions,
): Promise<Listing> {
  const scope =
    !kind.namespaced || allNamespaces === true ? undefined : (namespace ?? DEFAULT_NAMESPACE);
  const call = io.signal === undefined ? {} : { signal: io.signal };
  const { objects: found, unreadable, revision } = await objects.list(kind, scope, call);
  for (const fault of unreadable) io.err(`note: ${fault.message}\n`);
  const withNamespace = allNamespaces === true || namespace !== undefined;
  return { kind, objects: found, listRevision: revision, withNamespace };
}

/** Objects by name, those of one kind together in the order of their first. */
async function fetchEach(
  io: Io,
  objects: Objects,
  ids: readonly ObjectId[],
  { namespace }: GetOptions,
  errors: string[],
): Promise<Listing[]> {
  const found = new Map<Kind, StoredObject[]>();
  for (const id of ids) {
    try {
      const call = io.signal === undefined ? {} : { signal: io.signal };
      const object = await objects.get(id, call);
      const list = found.get(id.kind);
      if (list === undefined) found.set(id.kind, [object]);
      else list.push(object);
    } catch (error) {
      if (!isFault(error, 'not-found', 'corrupt')) throw error;
      errors.push(messageOf(error));
    }
  }
  const withNamespace = namespace !== undefined;
  return [...found].map(([kind, list]) => ({ kind, objects: list, withNamespace }));
}

async function print(
  io: Io,
  objects: Objects,
  listings: readonly Listing[],
  format: OutputFormat,
  options: GetOptions,
): Promise<void> {
  if (format.type === 'yaml' || format.type === 'json') {
    io.out(renderDocument(listings, format.type, options.export === true));
    return;
  }
  io.out(renderTables(listings, format, await tableContext(objects, listings)));
}

/** What tables show of other objects: the cluster's AS number, read only for nodes. */
async function tableContext(objects: Objects, listings: readonly Listing[]): Promise<TableContext> {
  const needsAs = listings.some(({ kind }) => kind.kind === 'Node');
  const entry = needsAs
    ? await objects.store.get(resourceKey('bgpconfigurations', 'default'))
    : undefined;
  if (entry === undefined) return { defaultAsNumber: DEFAULT_AS };
  const asNumber = toAsNumber(decodeResource(entry.value, entry.key).spec['asNumber']);
  return { defaultAsNumber: asNumber ?? DEFAULT_AS };
}
