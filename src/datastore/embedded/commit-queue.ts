import { statfs } from 'node:fs/promises';
import { abortFault, Fault, messageOf, type Log } from '../../base/index.js';
import type { CallOptions, CommitResult, Transaction } from '../index.js';
import { applyAll, type Outcome, type Request } from './apply.js';
import type { Environment } from './environment.js';
import type { Step } from './history.js';

export interface CommitQueueOptions {
  /** For messages. */
  readonly directory: string;
  /** The environment in use, opened if need be. */
  readonly environment: () => Promise<Environment>;
  /** Closes the environment in use and opens the file anew. */
  readonly reopen: () => Promise<Environment>;
  /** Called once per group with what has become durable, before its callers are answered. */
  readonly onDurable: (steps: readonly Step[]) => void;
  readonly log: Log;
}

/** Commits that wait share one durable transaction of lmdb. */
export interface CommitQueue {
  /** With `held`, every key written is one that goes when its holder ends. */
  commit(transaction: Transaction, options?: CallOptions, held?: boolean): Promise<CommitResult>;
  /** Fails what has not begun and settles when the rest is done. */
  close(reason: Fault): Promise<void>;
}

interface Job extends Request {
  begun: boolean;
  resolve(result: CommitResult): void;
  reject(fault: Fault): void;
}

/** Most commits in one transaction, so that the event loop is not held for long. */
const GROUP = 64;
/** A disk that takes longer than this does not answer. */
const DISK_MS = 10_000;
/** With less than this left, a failed write is put down to a full disk. */
const FULL_BYTES = 1024 * 1024;

export function createCommitQueue(options: CommitQueueOptions): CommitQueue {
  const { directory, log } = options;
  let waiting: Job[] = [];
  let running: Promise<void> | undefined;
  /** Why the last write failed; the file is opened anew and looked at before the next. */
  let failure: Fault | undefined;
  let durable: bigint | undefined;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, GROUP);
      waiting = waiting.slice(GROUP);
      for (const job of group) job.begun = true;
      const slow = setTimeout(() => giveUp(group), DISK_MS);
      await runGroup(group);
      clearTimeout(slow);
    }
    running = undefined;
  }

  async function runGroup(group: readonly Job[]): Promise<void> {
    let environment: Environment;
    try {
      environment = failure === undefined ? await options.environment() : await check();
    } catch (error) {
      const fault = error instanceof Fault ? error : await readOnly(error);
      for (const job of group) job.reject(fault);
      return;
    }
    let outcome: Outcome | undefined;
    try {
      outcome = await environment.write((writer) => {
        outcome = applyAll(writer, group);
        return outcome;
      });
    } catch (error) {
      await recover(group, outcome, error);
      return;
    }
    if (failure !== undefined)
      log.info({ directory }, 'the embedded datastore can be written again');
    failure = undefined;
    finish(group, outcome);
  }

  function finish(group: readonly Job[], { results, steps, after }: Outcome): void {
    durable = after;
    options.onDurable(steps);
    group.forEach((job, index) => {
      const result = results[index];
      if (result !== undefined) job.resolve(result);
    });
  }

  /** A file that was opened anew must be where the last good commit left it. */
  async function check(): Promise<Environment> {
    const environment = await options.reopen();
    const revision = environment.revision();
    if (durable === undefined || revision === durable) return environment;
    throw new Fault(
      'refused',
      `the embedded datastore at ${directory} is read-only: it is at revision ${revision}, not ${durable}; ` +
        'restart the daemon to use it as it is',
      { reason: 'read-only' },
    );
  }

  /** After a failed transaction lmdb's view may be wrong: only the file opened anew says what happened. */
  async function recover(
    group: readonly Job[],
    outcome: Outcome | undefined,
    error: unknown,
  ): Promise<void> {
    const fault = await readOnly(error);
    if (failure === undefined) log.error({ directory, err: error }, fault.message);
    failure = fault;
    try {
      const revision = (await options.reopen()).revision();
      if (outcome !== undefined && outcome.after > outcome.before && revision === outcome.after) {
        finish(group, outcome);
        return;
      }
      if (outcome === undefined || revision === outcome.before) {
        for (const job of group) job.reject(fault);
        return;
      }
      log.error(
        { directory, revision, outcome },
        'the embedded datastore is at an unexpected revision',
      );
    } catch (reopening) {
      log.error({ directory, err: reopening }, 'the embedded datastore cannot be opened again');
    }
    for (const job of group) job.reject(unknown(directory, fault.message));
  }

  async function readOnly(error: unknown): Promise<Fault> {
    const why = messageOf(error).replace(/:? ?Attempting to write page.*$/, '');
    const full = /no space left|disk quota|map_full/i.test(why) || (await isFull());
    const cure = full ? 'the disk is full, free some space' : 'repair the disk';
    return new Fault(
      'refused',
      `the embedded datastore at ${directory} is read-only: ${why}; ${cure}, the next write tries again`,
      { reason: full ? 'out-of-space' : 'read-only', cause: error },
    );
  }

  /** lmdb calls a write that was cut short by a full disk an input/output error. */
  async function isFull(): Promise<boolean> {
    try {
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize < FULL_BYTES;
    } catch (error) {
      log.debug({ directory, err: error }, 'free space is not known');
      return false;
    }
  }

  function giveUp(group: readonly Job[]): void {
    const why = `the disk did not answer within ${DISK_MS / 1000} s`;
    for (const job of group) job.reject(unknown(directory, why));
    const fault = new Fault('unavailable', `the embedded datastore at ${directory}: ${why}`);
    for (const job of waiting) job.reject(fault);
    waiting = [];
  }

  async function commit(
    transaction: Transaction,
    { signal }: CallOptions = {},
    held = false,
  ): Promise<CommitResult> {
    if (signal?.aborted) throw abortFault(signal, 'the write to the embedded datastore');
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (signal !== undefined)
          reject(job.begun ? unknown(directory, 'it was called off') : abortFault(signal));
        waiting = waiting.filter((other) => other !== job);
      };
      const settled = (): void => signal?.removeEventListener('abort', onAbort);
      const job: Job = {
        transaction,
        held,
        begun: false,
        resolve: (result) => {
          settled();
          resolve(result);
        },
        reject: (fault) => {
          settled();
          reject(fault);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      waiting.push(job);
      // Not at once: what is asked for in the same turn goes into the same transaction.
      running ??= Promise.resolve().then(run);
    });
  }

  return {
    commit,
    close: async (reason) => {
      const left = waiting;
      waiting = [];
      for (const job of left) job.reject(reason);
      await running;
    },
  };
}

function unknown(directory: string, why: string): Fault {
  return new Fault(
    'outcome-unknown',
    `a write to the embedded datastore at ${directory} may or may not have happened: ${why}`,
  );
}
