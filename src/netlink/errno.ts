import { getSystemErrorName } from 'node:util';
import { Fault, type FaultKind } from '../base/fault.js';

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const ENXIO = 6;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ERANGE = 34;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const EHOSTUNREACH = 113;

interface Meaning {
  readonly kind: FaultKind;
  /** Set when it says more than the kind. */
  readonly reason?: string;
  readonly words: string;
}

const UNREACHABLE: Meaning = {
  kind: 'unavailable',
  reason: 'gateway-unreachable',
  words: 'the gateway cannot be reached directly',
};
const NO_LINK: Meaning = {
  kind: 'not-found',
  reason: 'no-such-link',
  words: 'no such network interface',
};
const DENIED: Meaning = { kind: 'refused', words: 'not permitted; CAP_NET_ADMIN is needed' };
const SHORT_OF_MEMORY: Meaning = {
  kind: 'unavailable',
  reason: 'no-memory',
  words: 'the kernel is short of memory',
};

const meanings: ReadonlyMap<number, Meaning> = new Map([
  [EPERM, DENIED],
  [EACCES, DENIED],
  [EEXIST, { kind: 'exists', words: 'exists already' }],
  [ENODEV, NO_LINK],
  [ENXIO, NO_LINK],
  [ESRCH, { kind: 'not-found', words: 'no such entry' }],
  [ENOENT, { kind: 'not-found', words: 'no such entry' }],
  [
    EADDRINUSE,
    {
      kind: 'unavailable',
      reason: 'port-in-use',
      words: 'another program has the address or port',
    },
  ],
  [EADDRNOTAVAIL, { kind: 'not-found', words: 'no such address' }],
  [EOPNOTSUPP, { kind: 'unsupported', words: 'the kernel does not support it' }],
  [ERANGE, { kind: 'invalid', words: 'a value is too long or too large' }],
  [ENETDOWN, { kind: 'unavailable', reason: 'link-down', words: 'the network interface is down' }],
  [ENETUNREACH, UNREACHABLE],
  [EHOSTUNREACH, UNREACHABLE],
  [EBUSY, { kind: 'unavailable', reason: 'busy', words: 'the kernel is busy with it' }],
  [ENOBUFS, SHORT_OF_MEMORY],
  [ENOMEM, SHORT_OF_MEMORY],
]);

/**
 * The fault for an errno (positive) with which the kernel answered, as port.ts promises: kinds by
 * meaning, `internal` for what has none; the number is in `details.errno`.
 * @param what the operation that was refused, such as `cannot set route 10.0.0.0/26`
 */
export function faultOfErrno(what: string, errno: number): Fault {
  const meaning = meanings.get(errno);
  return new Fault(
    meaning?.kind ?? 'internal',
    `${what}: ${meaning?.words ?? 'refused by the kernel'} (${errnoName(errno)})`,
    {
      details: { errno },
      ...(meaning?.reason === undefined ? {} : { reason: meaning.reason }),
    },
  );
}

/** The errno that a fault of this room came from. */
export function errnoOf(error: unknown): number | undefined {
  const errno = error instanceof Fault ? error.details['errno'] : undefined;
  return typeof errno === 'number' ? errno : undefined;
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    // Some numbers of the kernel, such as ENOTSUPP 524, have no name in user space.
    return `errno ${errno}`;
  }
}
