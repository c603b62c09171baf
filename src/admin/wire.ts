import { Fault, type FaultKind } from '../base/index.js';
import type { Change, CommitResult, Entry, Snapshot, Transaction } from '../datastore/index.js';
import type { CommitRequest } from './schema.js';

/** The store's values on the wire: revisions as decimal strings, maps as lists of pairs, absence as null. */
export interface WireEntry {
  readonly key: string;
  readonly value: string;
  readonly revision: string;
}
export type WirePairs = readonly (readonly [string, WireEntry | null])[];
export interface WireSnapshot {
  readonly entries: readonly WireEntry[];
  readonly revision: string;
}
export interface WireCommit {
  readonly committed: boolean;
  readonly revision: string;
  readonly current?: WirePairs;
}
export interface WireIdentity {
  readonly id: string;
  readonly revision: string;
}
/** A delete has no entry. */
export interface WireChange {
  readonly key: string;
  readonly revision: string;
  readonly value?: string;
}
export interface WireFault {
  readonly kind: FaultKind;
  readonly reason: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}
/** One line of a watch; an empty line says that it lives. */
export type WatchLine = { readonly changes: readonly WireChange[] } | { readonly lost: WireFault };

/** How often a watch with nothing to say sends an empty line. */
export const HEARTBEAT_MS = 5000;

export const toWireEntry = ({ key, value, revision }: Entry): WireEntry => ({
  key,
  value,
  revision: revision.toString(),
});
export const fromWireEntry = ({ key, value, revision }: WireEntry): Entry => ({
  key,
  value,
  revision: BigInt(revision),
});

export const toWirePairs = (all: ReadonlyMap<string, Entry | undefined>): WirePairs =>
  [...all].map(([key, entry]) => [key, entry === undefined ? null : toWireEntry(entry)]);
export const fromWirePairs = (pairs: WirePairs): Map<string, Entry | undefined> =>
  new Map(pairs.map(([key, entry]) => [key, entry === null ? undefined : fromWireEntry(entry)]));

export const toWireSnapshot = ({ entries, revision }: Snapshot): WireSnapshot => ({
  entries: entries.map(toWireEntry),
  revision: revision.toString(),
});
export const fromWireSnapshot = ({ entries, revision }: WireSnapshot): Snapshot => ({
  entries: entries.map(fromWireEntry),
  revision: BigInt(revision),
});

export function toWireCommit(result: CommitResult): WireCommit {
  const revision = result.revision.toString();
  return result.committed
    ? { committed: true, revision }
    : { committed: false, revision, current: toWirePairs(result.current) };
}
export function fromWireCommit({ committed, revision, current }: WireCommit): CommitResult {
  return committed
    ? { committed, revision: BigInt(revision) }
    : { committed, revision: BigInt(revision), current: fromWirePairs(current ?? []) };
}

export const toCommitRequest = ({ compares, writes, reads }: Transaction): CommitRequest => ({
  compares: compares.map(({ key, revision }) => ({ key, revision: revision.toString() })),
  writes: writes.map(({ key, value }) => ({ key, value })),
  reads: [...(reads ?? [])],
});
export const fromCommitRequest = ({ compares, writes, reads }: CommitRequest): Transaction => ({
  compares: compares.map(({ key, revision }) => ({ key, revision: BigInt(revision) })),
  writes,
  reads: reads ?? [],
});

export function toWireChange(change: Change): WireChange {
  if (change.type === 'put') return toWireEntry(change.entry);
  return { key: change.key, revision: change.revision.toString() };
}
export function fromWireChange({ key, revision, value }: WireChange): Change {
  return value === undefined
    ? { type: 'delete', key, revision: BigInt(revision) }
    : { type: 'put', entry: { key, value, revision: BigInt(revision) } };
}

export const toWireFault = ({ kind, reason, message, details }: Fault): WireFault => ({
  kind,
  reason,
  message,
  details,
});
export const fromWireFault = ({ kind, reason, message, details }: WireFault): Fault =>
  new Fault(kind, message, { reason, details });
