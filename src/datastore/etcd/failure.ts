import type { FaultKind } from '../../base/index.js';

/** Closed list of why a call to etcd failed; the `reason` of the room's faults. */
export type EtcdReason =
  | 'connection-refused'
  | 'connection-lost'
  | 'unreachable'
  | 'name'
  | 'tls'
  | 'authentication'
  | 'permission'
  | 'deadline'
  | 'stopped'
  | 'no-leader'
  | 'overloaded'
  | 'out-of-space'
  | 'too-large'
  | 'too-many-operations'
  | 'compacted'
  | 'not-etcd'
  | 'rejected';

/** What a failed call to one member means. */
export interface Failure {
  readonly kind: FaultKind;
  readonly reason: EtcdReason;
  /** A clause for the message: what failed, at which endpoint. */
  readonly text: string;
  /** Certain that a write was not executed. False when it may have been. */
  readonly notDone: boolean;
  /** Worth asking another member, or this one again after a pause. */
  readonly elsewhere: boolean;
  /** The token is spoilt: authenticate and ask again. */
  readonly renewToken: boolean;
}

/** Thrown inside the room only; `cluster.ts` makes a Fault of it. */
export class MemberError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, cause?: unknown) {
    super(failure.text, { cause });
    this.failure = failure;
  }
}

/** The two members of a gRPC status that are used: code (grpc.io status codes) and text. */
export interface Status {
  readonly code: number;
  readonly details: string;
}

export function isStatus(error: unknown): error is Error & Status {
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}

type Meaning = Omit<Failure, 'text'>;

const meaning = (kind: FaultKind, reason: EtcdReason, more: Partial<Meaning> = {}): Meaning => ({
  kind,
  reason,
  notDone: true,
  elsewhere: false,
  renewToken: false,
  ...more,
});

const lost = { notDone: false, elsewhere: true };

/**
 * etcd's own answers (api/v3rpc/rpctypes/error.go), told by text because several share a gRPC code.
 * A timed-out request may still be executed later: it stays in the leader's log.
 */
const ANSWERS: readonly (readonly [RegExp, Meaning])[] = [
  [
    /invalid auth token|revision of auth store is old/,
    meaning('refused', 'authentication', { renewToken: true }),
  ],
  [
    /authentication failed|user name is empty|user name not found/,
    meaning('refused', 'authentication'),
  ],
  [/permission denied/, meaning('refused', 'permission')],
  [/database space exceeded/, meaning('refused', 'out-of-space')],
  [/request is too large|message larger than max/, meaning('invalid', 'too-large')],
  [/too many operations/, meaning('invalid', 'too-many-operations')],
  [/duplicate key given|key is not provided/, meaning('invalid', 'rejected')],
  [/has been compacted|is a future revision/, meaning('unavailable', 'compacted')],
  [/too many requests/, meaning('unavailable', 'overloaded', { elsewhere: true })],
  [/etcdserver: no leader/, meaning('unavailable', 'no-leader', { elsewhere: true })],
  [/request timed out|leader changed/, meaning('unavailable', 'no-leader', lost)],
];

/** How a connection that was never made fails; nothing was sent. */
const DIAL: readonly (readonly [RegExp, EtcdReason])[] = [
  [/ECONNREFUSED/, 'connection-refused'],
  [/Name resolution failed|ENOTFOUND|EAI_AGAIN/, 'name'],
  [/certificate|TLS|SSL|ssl|CERT_|ERR_TLS|altname|wrong version number/, 'tls'],
  [/EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EACCES|EPERM/, 'unreachable'],
];

const WORDS: Readonly<Record<EtcdReason, string>> = {
  'connection-refused': 'connection refused',
  'connection-lost': 'connection lost',
  unreachable: 'no route or no answer',
  name: 'the host name cannot be resolved',
  tls: 'TLS failed',
  authentication: 'authentication failed, check user and password',
  permission: 'the user may not do this, grant it the /calico/ prefix',
  deadline: 'no answer before the deadline',
  stopped: 'the call was called off',
  'no-leader': 'the cluster has no leader (quorum lost, or an election is going on)',
  overloaded: 'too many requests wait',
  'out-of-space': "etcd's space quota is used up, compact, defragment and disarm the alarm",
  'too-large': 'the request is larger than etcd accepts',
  'too-many-operations': 'more operations than etcd accepts in one transaction',
  compacted: 'the revision was compacted',
  'not-etcd': 'what answers there does not speak etcd v3',
  rejected: 'etcd rejected the request',
};

/** InvalidArgument, NotFound, FailedPrecondition, OutOfRange: said before anything is done. */
const REFUSALS = [3, 5, 9, 11];
const UNIMPLEMENTED = 12;
const DEADLINE = 4;
const CANCELLED = 1;
const UNAVAILABLE = 14;

function meaningOf({ code, details }: Status): Meaning {
  for (const [pattern, found] of ANSWERS) if (pattern.test(details)) return found;
  if (details.includes('etcdserver: ')) {
    return REFUSALS.includes(code)
      ? meaning('invalid', 'rejected')
      : meaning('unavailable', 'rejected', lost);
  }
  if (code === DEADLINE) return meaning('unavailable', 'deadline', lost);
  if (code === CANCELLED) return meaning('unavailable', 'stopped', { notDone: false });
  if (code === UNIMPLEMENTED) return meaning('unavailable', 'not-etcd', { elsewhere: true });
  const neverSent = /No connection established|Name resolution failed/.test(details);
  if (code === UNAVAILABLE && neverSent) {
    const [, reason = 'connection-lost'] = DIAL.find(([pattern]) => pattern.test(details)) ?? [];
    return meaning('unavailable', reason, { elsewhere: true });
  }
  return meaning('unavailable', 'connection-lost', lost);
}

/** The part of gRPC's text that says something to an operator. */
function detailOf(details: string): string {
  const inner = details
    .replace(/^.*Last error: (Error: )?/, '')
    .replace(/\.? ?Resolution note:.*$/, '');
  return (inner.split('\n', 1)[0] ?? '').slice(0, 200);
}

export function failureOf(status: Status, endpoint: string): Failure {
  const found = meaningOf(status);
  const detail = detailOf(status.details);
  const quoted = detail === '' ? '' : ` (${detail})`;
  return { ...found, text: `${endpoint}: ${WORDS[found.reason]}${quoted}` };
}

/** A failure that no gRPC status stands for. */
export function ownFailure(reason: EtcdReason, endpoint: string, elsewhere: boolean): Failure {
  return {
    ...meaning('unavailable', reason, { elsewhere }),
    text: `${endpoint}: ${WORDS[reason]}`,
  };
}
