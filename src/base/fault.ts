/**
 * Why an operation did not do what was asked. The list is closed: the RPC layer, the CLI and the
 * metrics each map every kind, and nothing compares message texts.
 */
export type FaultKind =
  /** The request itself is wrong: malformed, contradictory, unknown option. */
  | 'invalid'
  /** Understood, but deliberately not offered. */
  | 'unsupported'
  /** The named object does not exist. */
  | 'not-found'
  /** The named object exists already. */
  | 'exists'
  /** Somebody else changed what the decision was made from; only this kind is retried. */
  | 'conflict'
  /** No address, block or slot is left. */
  | 'exhausted'
  /** A rule of ours forbids it (ownership, safety). */
  | 'refused'
  /** The datastore, the kernel or a program cannot be reached or is not ready. */
  | 'unavailable'
  /** A write was sent and its answer lost: it may or may not have happened. */
  | 'outcome-unknown'
  /** The bound of the call was reached. */
  | 'timeout'
  /** Stored data that cannot be understood. */
  | 'corrupt'
  /** A defect of this program. */
  | 'internal';

export interface FaultOptions {
  /** Short kebab-case word from a closed list of the raising room; shown in logs, metrics and CLI. */
  readonly reason?: string;
  readonly cause?: unknown;
  /** Values for the log line; never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error class of the program. `message` is a single line: what is wrong, what was found, what to do. */
export class Fault extends Error {
  readonly kind: FaultKind;
  readonly reason: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(kind: FaultKind, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.kind = kind;
    this.reason = options.reason ?? kind;
    this.details = options.details ?? {};
  }
}

export function isFault(error: unknown, ...kinds: readonly FaultKind[]): error is Fault {
  return error instanceof Fault && (kinds.length === 0 || kinds.includes(error.kind));
}

/** Any thrown value as a Fault; what was no Fault becomes `internal` with the original as cause. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  return new Fault('internal', messageOf(error), { cause: error });
}

/** The first line of whatever was thrown. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? '';
}

/** Why a machine whose node name another one holds does nothing at all; raised by the node room. */
export const NAME_CONTESTED = 'hold-contested';

/** The work was asked of a copy of the machine that it concerns: it must not be done later either. */
export function isMeantForAnother(fault: Fault): boolean {
  return fault.reason === NAME_CONTESTED;
}
