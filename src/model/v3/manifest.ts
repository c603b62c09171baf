import { Fault } from '../../base/fault.js';
import { convertV1, v1KindNames } from './convert-v1.js';
import { isObject, type JsonObject } from './json.js';
import type { Kind } from './kind.js';
import { kindOfManifest, kinds, readResource } from './registry.js';
import { API_VERSION, type Resource } from './resource.js';
import { readYaml } from './yaml.js';

/** Largest input that is read, in bytes. */
export const MAX_MANIFEST = 10 * 1024 * 1024;

/** One object out of a file, read strictly, not yet completed or checked. */
export interface Manifest {
  readonly kind: Kind;
  readonly resource: Resource;
  /** The kind as the user spelled it: `ipPool` in a v1 manifest. */
  readonly spelledKind: string;
}

/**
 * The objects of a YAML or JSON text: any number of documents, each one object, a `…List`, or a bare
 * list; v3 and convertible v1 side by side. Throws `invalid` for the whole text when any part of it
 * is malformed, so that half a broken file is never applied.
 */
export function readManifests(text: string, source: string): Manifest[] {
  if (Buffer.byteLength(text) > MAX_MANIFEST) {
    const message = `${source} is larger than ${MAX_MANIFEST} bytes: split it`;
    throw new Fault('invalid', message, { reason: 'too-large' });
  }
  return readYaml(text, source).flatMap((document) => readDocument(document, source));
}

function readDocument(document: unknown, source: string): Manifest[] {
  if (Array.isArray(document)) {
    return document.flatMap((item: unknown) => readDocument(item, source));
  }
  if (!isObject(document)) {
    const shown = JSON.stringify(document)?.slice(0, 40);
    throw new Fault(
      'invalid',
      `${source} holds no object with kind and apiVersion, found ${shown}`,
    );
  }
  const kindName = textOf(document, 'kind');
  const version = textOf(document, 'apiVersion');
  const listed = kindName.endsWith('List') ? kindName.slice(0, -4) : undefined;
  if (listed !== undefined && version === API_VERSION && kindOfManifest(listed) !== undefined) {
    const { items } = document;
    if (!Array.isArray(items)) throw new Fault('invalid', `${kindName} in ${source} has no items`);
    return items.flatMap((item: unknown) => readDocument(item, source));
  }
  return [readOne(document, kindName, version)];
}

function readOne(document: JsonObject, kindName: string, version: string): Manifest {
  if (version === 'v1') {
    const converted = convertV1(kindName, document);
    if (converted !== undefined) {
      return { ...converted, spelledKind: kindName };
    }
  }
  const kind = version === API_VERSION ? kindOfManifest(kindName) : undefined;
  if (kind === undefined) throw unknownKind(kindName, version);
  const resource = readResource(kind, document);
  return { kind, resource, spelledKind: kind.kind };
}

function textOf(document: JsonObject, member: string): string {
  const entry = Object.entries(document).find(
    ([name]) => name.toLowerCase() === member.toLowerCase(),
  );
  return typeof entry?.[1] === 'string' ? entry[1] : '';
}

function unknownKind(kindName: string, version: string): Fault {
  const near = kinds.find((kind) => kind.kind.toLowerCase() === kindName.toLowerCase())?.kind;
  const hint =
    near !== undefined
      ? `write kind: ${near} with apiVersion: ${API_VERSION}`
      : `known are ${kinds.map((kind) => kind.kind).join(', ')} with apiVersion: ${API_VERSION}, and ${v1KindNames.join(', ')} with v1`;
  const message = `unknown resource type (${kindName}) and/or version (${version}): ${hint}`;
  return new Fault('invalid', message, { reason: 'unknown-kind' });
}
