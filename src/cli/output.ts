import { Fault } from '../base/index.js';
import {
  API_VERSION,
  presentResource,
  stringifyJson,
  writeYaml,
  type Column,
  type JsonObject,
  type Kind,
  type Resource,
  type TableContext,
} from '../model/v3/index.js';
import { DEFAULT_NAMESPACE } from './object-name.js';
import type { StoredObject } from './objects.js';
import { plainTable } from './tables.js';

/** `-o` in parsed form. */
export type OutputFormat =
  | { readonly type: 'table'; readonly wide: boolean }
  | { readonly type: 'columns'; readonly headings: readonly string[] }
  | { readonly type: 'yaml' | 'json' };

/** Throws `invalid` for an unknown format and `unsupported` for Go templates. */
export function parseOutput(text: string): OutputFormat {
  const [word = '', value] = text.replace(/^=/, '').split(/=(.*)/s);
  switch (word) {
    case '':
    case 'ps':
      return { type: 'table', wide: false };
    case 'wide':
      return { type: 'table', wide: true };
    case 'yaml':
    case 'yml':
      return { type: 'yaml' };
    case 'json':
      return { type: 'json' };
    case 'custom-columns':
      return { type: 'columns', headings: (value ?? '').split(',').map((each) => each.trim()) };
    case 'go-template':
    case 'go-template-file': {
      const message = `-o ${word} is not offered: use -o json with jq, or -o custom-columns=NAME,…`;
      throw new Fault('unsupported', message, { reason: 'output-format' });
    }
    default: {
      const message = `unrecognized output format '${text}': use ps, wide, yaml, json or custom-columns=NAME,…`;
      throw new Fault('invalid', message, { reason: 'output-format' });
    }
  }
}

/** What is to be printed: objects of one or several kinds, each with its own list. */
export interface Listing {
  readonly kind: Kind;
  readonly objects: readonly StoredObject[];
  /** Set when the whole kind was listed. */
  readonly listRevision?: bigint;
  /** The NAMESPACE column is shown. */
  readonly withNamespace: boolean;
}

/** The columns of a table; throws `invalid` for a heading that the kind does not have. */
export function columnsFor(kind: Kind, format: OutputFormat, withNamespace: boolean): Column[] {
  const wanted =
    format.type === 'columns'
      ? format.headings.map((heading) => heading.toUpperCase())
      : format.type === 'table' && format.wide
        ? kind.wideHeadings
        : kind.tableHeadings;
  const all = kind.namespaced ? [namespaceColumn, ...kind.columns] : kind.columns;
  const columns = wanted.map((heading) => {
    const column = all.find((each) => each.heading === heading);
    if (column !== undefined) return column;
    const valid = all.map((each) => each.heading).join(', ');
    const message = `unknown heading ${heading}, valid values are: ${valid}`;
    throw new Fault('invalid', message, { reason: 'output-format' });
  });
  const leads = withNamespace && kind.namespaced && format.type === 'table';
  return leads ? [namespaceColumn, ...columns] : columns;
}

const namespaceColumn: Column = {
  heading: 'NAMESPACE',
  value: ({ metadata }) => metadata.namespace ?? DEFAULT_NAMESPACE,
};

/** One table a kind, as calicoctl prints them. */
export function renderTables(
  listings: readonly Listing[],
  format: OutputFormat,
  context: TableContext,
): string {
  return listings
    .map(({ kind, objects, withNamespace }) => {
      const columns = columnsFor(kind, format, withNamespace);
      const rows = objects.map(({ resource }) => {
        const shown = presentResource(kind, resource);
        return columns.map((column) => column.value(shown, context));
      });
      return plainTable(
        columns.map(({ heading }) => heading),
        rows,
      );
    })
    .join('');
}

/** One object, a `…List` for a whole kind, or a plain list of several. */
export function renderDocument(
  listings: readonly Listing[],
  type: 'yaml' | 'json',
  exported: boolean,
): string {
  const values = listings.flatMap<JsonObject | Resource>(({ kind, objects, listRevision }) => {
    const items = objects.map((object) =>
      withRevision(object, exported && listRevision === undefined),
    );
    if (listRevision === undefined) return items;
    return [
      {
        kind: `${kind.kind}List`,
        apiVersion: API_VERSION,
        metadata: { resourceVersion: listRevision.toString() },
        items,
      },
    ];
  });
  if (values.length === 0) return '';
  const value = values.length === 1 ? values[0] : values;
  return type === 'yaml' ? writeYaml(value) : `${stringifyJson(value, 2)}\n`;
}

function withRevision({ id, resource, revision }: StoredObject, exported: boolean): Resource {
  const shown = presentResource(id.kind, resource);
  const { name, generateName, namespace, uid, ...rest } = shown.metadata;
  const given = (members: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  if (exported) {
    const { creationTimestamp: _time, resourceVersion: _version, ...kept } = rest;
    return { ...shown, metadata: { name, ...given(kept) } };
  }
  const identity = given({ generateName, namespace, uid });
  const metadata = { name, ...identity, resourceVersion: revision.toString(), ...given(rest) };
  return { ...shown, metadata: { ...metadata, resourceVersion: revision.toString() } };
}
