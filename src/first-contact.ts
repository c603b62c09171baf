import { Fault, isFault, messageOf, orAbort } from './base/index.js';
import type { DaemonCore } from './daemon-core.js';
import type { CallObserver } from './rpc/index.js';

/** State of the part behind the sockets, for calls that come before it is there. */
export interface Behind {
  core: DaemonCore | undefined;
  /** Why it is not there yet. */
  failure: Fault | undefined;
  /** When another machine was last seen to have our node name. */
  contestedAt: number | undefined;
  readonly ready: Promise<DaemonCore>;
  readonly resolve: (core: DaemonCore) => void;
  /** Ends every wait for it: the daemon is stopping. */
  readonly giveUp: (fault: Fault) => void;
}

export function newBehind(): Behind {
  let resolve: (core: DaemonCore) => void = () => undefined;
  let giveUp: (fault: Fault) => void = () => undefined;
  const ready = new Promise<DaemonCore>((done, fail) => {
    resolve = done;
    giveUp = fail;
  });
  // Nobody may be waiting when it fails.
  ready.catch(() => undefined);
  return { core: undefined, failure: undefined, contestedAt: undefined, ready, resolve, giveUp };
}

/** Waits for the first contact; a call that ends before is told why there is none. */
export async function coreOf(behind: Behind, signal: AbortSignal): Promise<DaemonCore> {
  if (behind.core !== undefined) return behind.core;
  try {
    return await orAbort(behind.ready, signal, 'the first contact with the datastore');
  } catch (error) {
    if (behind.failure !== undefined && isFault(error, 'timeout')) throw behind.failure;
    throw error;
  }
}

/** A call that waited in vain says why, not that it waited. */
export function explained(fault: Fault): Fault {
  if (fault.kind !== 'timeout') return fault;
  return new Fault('unavailable', messageOf(fault), { reason: fault.reason, cause: fault });
}

/** Calls whose failure makes Docker give a container up, and what of it passes by itself. */
const START_METHODS = [
  'IpamDriver.RequestAddress',
  'NetworkDriver.CreateEndpoint',
  'NetworkDriver.Join',
];
const PASSING = ['unavailable', 'timeout', 'outcome-unknown', 'refused'];

/** Docker starts nothing twice: what failed on us is looked for when we answer again. */
export function wakeAfterFailedStart(behind: Behind): CallObserver {
  return ({ method, result }) => {
    if (PASSING.includes(result) && START_METHODS.includes(method)) behind.core?.startAgain.wake();
  };
}
