import { Fault, isFault, messageOf } from '../../base/fault.js';
import { isObject, parseJson, stringifyJson, type JsonObject } from './json.js';

export const API_VERSION = 'projectcalico.org/v3';

/** The members of `metadata` that stand in storage (datamodel §0.2); others are kept as found. */
export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  /** RFC 3339 in UTC with whole seconds; older writers store null. */
  creationTimestamp?: string | null;
  deletionTimestamp?: string | null;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  [member: string]: unknown;
}

/** A v3 object as stored: plain values, unknown members included. */
export interface Resource {
  kind: string;
  apiVersion: string;
  metadata: Metadata;
  spec: JsonObject;
  status?: JsonObject;
  [member: string]: unknown;
}

/** Who made an object and when: the part of `metadata` that never changes afterwards. */
export interface Identity {
  readonly uid: string;
  readonly createdAt: Date;
  /** Only for objects that are made. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A `corrupt` fault for a stored value; `where` is its key or name. */
export function corrupt(what: string, where?: string, cause?: unknown): Fault {
  const place = where === undefined ? 'a stored object' : `stored object ${where}`;
  return new Fault('corrupt', `${place} cannot be understood: ${what}`, {
    reason: 'corrupt-object',
    cause,
  });
}

/**
 * Reads one stored object. Tolerates what older and newer writers leave: missing or null members,
 * unknown ones. Throws `corrupt` when it is no JSON object with kind and name; `where` names it there.
 */
export function decodeResource(value: string, where?: string): Resource {
  let parsed: unknown;
  try {
    parsed = parseJson(value);
  } catch (error) {
    throw corrupt(`no JSON (${messageOf(error)})`, where, error);
  }
  if (!isObject(parsed)) throw corrupt('no JSON object', where);
  const { kind, apiVersion, metadata, spec, status } = parsed;
  if (typeof kind !== 'string' || kind === '') throw corrupt('no kind', where);
  if (!isObject(metadata) || typeof metadata['name'] !== 'string') {
    throw corrupt(`${kind} without metadata.name`, where);
  }
  const resource: Resource = {
    ...parsed,
    kind,
    apiVersion: typeof apiVersion === 'string' ? apiVersion : API_VERSION,
    metadata: { ...metadata, name: metadata['name'] },
    spec: isObject(spec) ? spec : {},
  };
  if (isObject(status)) resource.status = status;
  else delete resource.status;
  return resource;
}

/** `decodeResource` for a known kind: another kind under the key is `corrupt`. */
export function decodeKind(kind: string, value: string, where?: string): Resource {
  const resource = decodeResource(value, where);
  if (resource.kind !== kind) throw corrupt(`${kind} expected, ${resource.kind} found`, where);
  return resource;
}

const METADATA_ORDER = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
];
const RESOURCE_ORDER = ['kind', 'apiVersion', 'metadata', 'spec', 'status'];

/**
 * The text to store: member order and escapes of Calico's own writers, maps sorted by key,
 * `resourceVersion` and `selfLink` left out, unknown members last.
 */
export function encodeResource(resource: Resource): string {
  const { resourceVersion: _revision, selfLink: _link, ...kept } = resource.metadata;
  const metadata = inOrder(dropEmpty(kept), METADATA_ORDER);
  for (const map of ['labels', 'annotations']) {
    if (isObject(metadata[map])) metadata[map] = sortedMap(metadata[map]);
  }
  return stringifyJson(inOrder({ ...resource, metadata }, RESOURCE_ORDER));
}

/** A copy with the members of `order` first, in that order, and the rest as they stand. */
export function inOrder(object: JsonObject, order: readonly string[]): JsonObject {
  const result: JsonObject = {};
  for (const name of order) if (object[name] !== undefined) result[name] = object[name];
  for (const [name, value] of Object.entries(object)) {
    if (!(name in result) && value !== undefined) result[name] = value;
  }
  return result;
}

/** A copy sorted by key, as Go writes maps. */
export function sortedMap<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function dropEmpty(metadata: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(metadata).filter(([name, value]) => {
      if (value === undefined || value === null || value === '') return name === 'name';
      return !isObject(value) || Object.keys(value).length > 0;
    }),
  );
}

export interface MetadataOptions extends Identity {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Metadata of a new object; the creation time is cut to whole seconds, as the API demands. */
export function newMetadata(name: string, options: MetadataOptions): Metadata {
  const { uid, createdAt, namespace, labels, annotations } = options;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid,
    creationTimestamp: timestamp(createdAt),
    ...(labels === undefined ? {} : { labels: { ...labels } }),
    ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
  };
}

/** RFC 3339, UTC, whole seconds. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** Sets the identity where a stored object lacks it (older writers stored a null time). */
export function fillIdentity(metadata: Metadata, identity: Identity): void {
  if (typeof metadata.uid !== 'string' || metadata.uid === '') metadata.uid = identity.uid;
  if (typeof metadata.creationTimestamp !== 'string') {
    metadata.creationTimestamp = timestamp(identity.createdAt);
  }
}

/** Puts the members into the object: undefined leaves what is there, null takes it away. */
export function assign(target: JsonObject, members: JsonObject): void {
  for (const [name, value] of Object.entries(members)) {
    if (value === null) delete target[name];
    else if (value !== undefined) target[name] = value;
  }
}

/** A string member, or the fallback when it is absent, null or empty. */
export function stringOf(object: JsonObject, member: string, fallback = ''): string {
  const value = object[member];
  return typeof value === 'string' && value !== '' ? value : fallback;
}

/** The strings of a list member; absent, null and members of other types are left out. */
export function stringsOf(object: JsonObject, member: string): string[] {
  const value = object[member];
  return Array.isArray(value)
    ? value.filter((item): item is string => typeof item === 'string')
    : [];
}

/** A map of strings; absent, null and members of other types are left out. */
export function stringMapOf(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  const pairs = Object.entries(value).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
  return Object.fromEntries(pairs);
}

/** Runs a reader of model values; an `invalid` value in storage is `corrupt`, and says whose it is. */
export function reading<T>(resource: Resource, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    const { namespace, name } = resource.metadata;
    const id = namespace === undefined ? name : `${namespace}/${name}`;
    throw corrupt(messageOf(error), `${resource.kind}(${id})`, error);
  }
}
