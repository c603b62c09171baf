import { Fault, isFault, messageOf, orAbort, toFault } from './base/index.js';
import type { DaemonCore } from './daemon-core.js';
import type { Store } from './datastore/index.js';
import type { CallObserver } from './rpc/index.js';

/** State of the part behind the sockets, for calls that come before it is there. */
export interface Behind {
  core: DaemonCore | undefined;
  /** Why it is not there yet. */
  failure: Fault | undefined;
  /** When another machine was last seen to have our node name. */
  contestedAt: number | undefined;
  /** It was there once in this life of the daemon: what waits for it now does not wait for a boot. */
  wasThere: boolean;
  ready: Promise<DaemonCore>;
  resolve: (core: DaemonCore) => void;
  /** Ends every wait for it: the daemon is stopping. */
  giveUp: (fault: Fault) => void;
}

export function newBehind(): Behind {
  const nothing = { core: undefined, failure: undefined, contestedAt: undefined, wasThere: false };
  return { ...nothing, ...newWait() };
}

/** It is gone: calls wait for the next one. */
export function closeBehind(behind: Behind, why: Fault): void {
  behind.core = undefined;
  behind.failure = why;
  Object.assign(behind, newWait());
}

function newWait(): Pick<Behind, 'ready' | 'resolve' | 'giveUp'> {
  let resolve: (core: DaemonCore) => void = () => undefined;
  let giveUp: (fault: Fault) => void = () => undefined;
  const ready = new Promise<DaemonCore>((done, fail) => {
    resolve = done;
    giveUp = fail;
  });
  // Nobody may be waiting when it fails.
  ready.catch(() => undefined);
  return { ready, resolve, giveUp };
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

/** Settles when another datastore answers than before; nothing of what is known holds there. */
export async function exchangedStore({ exchanged }: Store, stopping: AbortSignal): Promise<Fault> {
  const noticed = new Promise<Fault>((resolve) => {
    const tell = (): void => resolve(toFault(exchanged?.reason));
    if (exchanged?.aborted === true) tell();
    else exchanged?.addEventListener('abort', tell, { once: true });
  });
  return orAbort(noticed, stopping);
}

/** Ends what was built on the former datastore; what is in the kernel stays. */
export async function endExchanged(core: DaemonCore, why: Fault, stateDir: string): Promise<void> {
  const { recordExchange } = await import('./node/index.js');
  const text = String(why.details['why'] ?? why.message);
  await recordExchange(stateDir, text);
  await core.stop();
  // What was being written down meanwhile may have come after it.
  await recordExchange(stateDir, text);
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
