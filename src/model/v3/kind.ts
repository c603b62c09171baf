import type { TSchema } from 'typebox';
import type { Resource } from './resource.js';
import type { Problem } from './problem.js';

/** What a table needs besides the objects of its kind. */
export interface TableContext {
  /** AS number of nodes that have none of their own. */
  readonly defaultAsNumber: number;
}

export interface Column {
  /** Upper case, one word. */
  readonly heading: string;
  readonly value: (resource: Resource, context: TableContext) => string;
}

/** Everything that the command line knows about one kind of object. */
export interface Kind {
  /** As in manifests: `IPPool`. */
  readonly kind: string;
  /** Lower-case plural of storage keys: `ippools`. */
  readonly plural: string;
  /** Short forms, lower case; kind and plural are names anyway. */
  readonly aliases: readonly string[];
  readonly namespaced: boolean;
  /** Can be looked at, not written. */
  readonly readOnly?: boolean;
  /** What the kind is for, one line for help. */
  readonly summary: string;
  /** A manifest that is accepted as it stands. */
  readonly example: string;
  /** Shape of `spec` and `status`: the strict reader, storage order and unknown members follow it. */
  readonly spec: TSchema;
  readonly status?: TSchema;
  /** The kind is stored with `"status":{}` when it has none. */
  readonly emptyStatus?: boolean;
  readonly columns: readonly Column[];
  readonly tableHeadings: readonly string[];
  readonly wideHeadings: readonly string[];
  /** Problems of `metadata.name`; a DNS subdomain when left out. */
  readonly checkName?: (resource: Resource) => Problem[];
  /** Fills in what may be left out, in place; run before `check` and on stored objects that are shown. */
  readonly complete?: (resource: Resource) => void;
  /** Problems that can be seen in the object alone. */
  readonly check: (resource: Resource) => Problem[];
  /** Problems of a change of the stored object into this one. */
  readonly checkUpdate?: (previous: Resource, next: Resource) => Problem[];
  /** Names under which an object may be stored, that of new ones first; only the name itself when left out. */
  readonly keyNames?: (name: string) => readonly string[];
  /**
   * A stored object as its user knows it, where storage adds members that are not his. Then it is
   * shown so, and `complete` is for what is written only.
   */
  readonly shown?: (stored: Resource) => Resource;
  /** Order of lists; by key when left out. */
  readonly compare?: (a: Resource, b: Resource) => number;
  /** What the user should know of an object that he wrote and that is accepted. */
  readonly notes?: (resource: Resource) => readonly string[];
  /** Objects that exist without being stored. */
  readonly builtIn?: readonly Resource[];
}

/** The text of a value in a table, as calicoctl prints it. */
export function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  return Array.isArray(value) ? value.map(cell).join(',') : String(value);
}

export const nameColumn: Column = { heading: 'NAME', value: ({ metadata }) => metadata.name };
