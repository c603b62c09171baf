import { Fault } from '../base/index.js';
import {
  commitOrConflict,
  resourcePrefix,
  retryOnConflict,
  type CallOptions,
  type Entry,
  type Store,
} from '../datastore/index.js';
import {
  checkResource,
  completeResource,
  decodeResource,
  encodeResource,
  fillIdentity,
  invalidFields,
  mergeUpdate,
  type Identity,
  type Kind,
  type Resource,
} from '../model/v3/index.js';
import { findObject } from './find-object.js';
import { describeId, type ObjectId } from './object-name.js';

/** A stored object with the revision to compare when it is changed. */
export interface StoredObject {
  readonly id: ObjectId;
  readonly resource: Resource;
  readonly revision: bigint;
}

export interface ObjectList {
  readonly objects: readonly StoredObject[];
  /** Keys whose value cannot be understood, with the reason. */
  readonly unreadable: readonly Fault[];
  readonly revision: bigint;
}

/** How often a change starts again when somebody else was faster. */
const ATTEMPTS = 5;

export function notFound(id: ObjectId): Fault {
  const message = `resource does not exist: ${describeId(id)} with error: <nil>`;
  return new Fault('not-found', message);
}

function alreadyExists(id: ObjectId): Fault {
  return new Fault('exists', `resource already exists: ${describeId(id)} with error: <nil>`);
}

/** Objects that exist without being stored can be neither changed nor removed. */
function refuseBuiltIn(id: ObjectId, operation: string): void {
  if (!id.kind.builtIn?.some(({ metadata }) => metadata.name === id.name)) return;
  const message = `operation ${operation} is not supported on ${id.name}: the ${id.kind.kind} is provided by Calico`;
  throw new Fault('unsupported', message);
}

/** A kind that can only be looked at. */
export function refuseReadOnly(kind: Kind, operation: string): void {
  if (kind.readOnly !== true) return;
  const message = `operation ${operation} is not supported on ${kind.kind}: resource is readonly`;
  throw new Fault('unsupported', message);
}

/** What a kind needs to have looked at beyond the object itself, in the same try as the write. */
export type WriteCheck = (next: Resource, previous: Resource | undefined) => Promise<void>;

export interface ChangeOptions extends CallOptions {
  readonly identity: Identity;
  /** The document's `resourceVersion`: the change is refused when the stored one differs. */
  readonly resourceVersion?: string;
  readonly check?: WriteCheck;
}

export interface RemoveOptions extends CallOptions {
  readonly resourceVersion?: string;
}

/** The v3 objects of one datastore. */
export class Objects {
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  /** Throws `not-found`. */
  async get(id: ObjectId, options?: CallOptions): Promise<StoredObject> {
    const { entry } = await findObject(this.store, id, options);
    if (entry !== undefined) return toStored(id, entry);
    const builtIn = id.kind.builtIn?.find(({ metadata }) => metadata.name === id.name);
    if (builtIn === undefined) throw notFound(id);
    return { id, resource: builtIn, revision: 1n };
  }

  /** All objects of a kind, or of one namespace of it, by name. */
  async list(kind: Kind, namespace?: string, options?: CallOptions): Promise<ObjectList> {
    const { entries, revision } = await this.store.list(
      resourcePrefix(kind.plural, namespace),
      options,
    );
    const objects: StoredObject[] = [];
    const unreadable: Fault[] = [];
    for (const entry of entries) {
      try {
        const resource = decodeResource(entry.value, entry.key);
        const { name, namespace: own } = (kind.shown?.(resource) ?? resource).metadata;
        const id = { kind, name, ...(own === undefined ? {} : { namespace: own }) };
        objects.push({ id, resource, revision: entry.revision });
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        unreadable.push(error);
      }
    }
    for (const resource of kind.builtIn ?? []) {
      objects.push({ id: { kind, name: resource.metadata.name }, resource, revision: 1n });
    }
    if (kind.builtIn !== undefined) {
      objects.sort((a, b) => (a.id.name < b.id.name ? -1 : a.id.name > b.id.name ? 1 : 0));
    }
    const { compare } = kind;
    if (compare !== undefined) objects.sort((a, b) => compare(a.resource, b.resource));
    return { objects, unreadable, revision };
  }

  /** Throws `exists`, or `invalid` for what is wrong with the object. */
  async create(id: ObjectId, written: Resource, options: ChangeOptions): Promise<void> {
    if (id.kind.builtIn?.some(({ metadata }) => metadata.name === id.name)) {
      throw alreadyExists(id);
    }
    if (options.resourceVersion !== undefined) {
      throw invalidFields([
        {
          field: 'Metadata.ResourceVersion',
          value: options.resourceVersion,
          reason: 'field must not be set for a Create request',
        },
      ]);
    }
    const next = acceptable(id, written);
    await options.check?.(next, undefined);
    const metadata = { ...next.metadata };
    fillIdentity(metadata, options.identity);
    const named = { ...id, name: metadata.name };
    const { key, entry, seen } = await findObject(this.store, named, options);
    if (entry !== undefined) throw alreadyExists(named);
    const result = await this.store.commit(
      {
        compares: seen,
        writes: [{ key, value: encodeResource({ ...next, metadata }) }],
      },
      options,
    );
    if (!result.committed) throw alreadyExists(named);
  }

  /**
   * Replaces a stored object with what `change` makes of it: stored metadata, unknown members and
   * status stay. Throws `not-found`, `conflict` when `resourceVersion` is not the stored one.
   */
  async update(
    id: ObjectId,
    change: (previous: Resource) => Resource,
    options: ChangeOptions,
  ): Promise<void> {
    refuseBuiltIn(id, 'Update');
    await retryOnConflict(ATTEMPTS, async () => {
      const { key, entry } = await findObject(this.store, id, options);
      if (entry === undefined) throw notFound(id);
      const { resource: previous, revision } = toStored(id, entry);
      checkRevision(id, revision, options.resourceVersion);
      const next = acceptable(id, change(previous));
      const problems = id.kind.checkUpdate?.(previous, next) ?? [];
      if (problems.length > 0) throw invalidFields(problems);
      await options.check?.(next, previous);
      const merged = mergeUpdate(id.kind, previous, next);
      fillIdentity(merged.metadata, options.identity);
      await commitOrConflict(
        this.store,
        {
          compares: [{ key, revision }],
          writes: [{ key, value: encodeResource(merged) }],
        },
        describeId(id),
        options,
      );
    });
  }

  /**
   * Deletes the key, also when its value cannot be understood: somebody has to be able to remove it.
   * Throws `not-found`, `conflict`.
   */
  async remove(id: ObjectId, options: RemoveOptions = {}): Promise<void> {
    refuseBuiltIn(id, 'Delete');
    await retryOnConflict(ATTEMPTS, async () => {
      const { key, entry } = await findObject(this.store, id, options);
      if (entry === undefined) throw notFound(id);
      checkRevision(id, entry.revision, options.resourceVersion);
      const compares = [{ key, revision: entry.revision }];
      await commitOrConflict(
        this.store,
        { compares, writes: [{ key, value: null }] },
        describeId(id),
        options,
      );
    });
  }
}

/** Refuses a document that was made from another revision than the stored one. */
export function checkRevision(id: ObjectId, revision: bigint, wanted: string | undefined): void {
  if (wanted === undefined || wanted === revision.toString()) return;
  // Not a conflict in the sense of a retry: trying again would not make the document newer.
  const message = `update conflict: ${describeId(id)}: the document has resourceVersion ${wanted}, the datastore ${revision}; get it again and repeat the change`;
  throw new Fault('refused', message, { reason: 'stale-document' });
}

function toStored(id: ObjectId, entry: Entry): StoredObject {
  return { id, resource: decodeResource(entry.value, entry.key), revision: entry.revision };
}

/** The object with its defaults, or `invalid` with everything that is wrong with it. */
export function acceptable(id: ObjectId, written: Resource): Resource {
  const metadata = { ...written.metadata };
  delete metadata['resourceVersion'];
  if (id.namespace !== undefined) metadata.namespace = id.namespace;
  const next = completeResource(id.kind, { ...written, metadata });
  const problems = checkResource(id.kind, next);
  if (problems.length > 0) throw invalidFields(problems);
  return next;
}
