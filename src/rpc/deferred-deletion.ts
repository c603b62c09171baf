import {
  isMeantForAnother,
  orAbort,
  toFault,
  within,
  type Fault,
  type Log,
} from '../base/index.js';

export interface DeferredDeletion {
  /** Bound of the whole call; the work has three quarters of it. */
  readonly boundMs: number;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly work: (signal: AbortSignal) => Promise<void>;
  /** Writes the work down, durably, to be done later. */
  readonly defer: () => Promise<void>;
  /** Faults that are told instead; none unless told. */
  readonly isFinal?: (fault: Fault) => boolean;
}

/** Docker ignores errors of deletions: what cannot be done within the bound is written down before the answer. */
export async function deleteOrDefer(deletion: DeferredDeletion): Promise<void> {
  const { boundMs, signal, log, work, defer, isFinal } = deletion;
  try {
    await within(boundMs * 0.75, [signal], (bounded) =>
      orAbort(work(bounded), bounded, 'the deletion'),
    );
  } catch (error) {
    const fault = toFault(error);
    if (isFinal?.(fault) === true) throw fault;
    if (isMeantForAnother(fault)) {
      log.warn({ error: fault.message }, 'not done: another machine has this node name');
      return;
    }
    await defer();
    log.warn({ error: fault.message, reason: fault.reason }, 'deletion deferred');
  }
}
