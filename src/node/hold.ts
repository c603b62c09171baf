import { randomUUID } from 'node:crypto';
import {
  backoff,
  deadline,
  Fault,
  isFault,
  messageOf,
  orAbort,
  sleep,
  toFault,
  type Clock,
  type Log,
} from '../base/index.js';
import { nodeHoldKey, type Entry, type Hold, type Store } from '../datastore/index.js';
import { keyChanged } from './key-changed.js';
import { contested, isSettled, refusal, waitsFor, type Decision } from './hold-decision.js';
import { decodeHolder, encodeHolder, judgeHolder, type Holder } from './holder.js';

export interface NodeHoldOptions {
  readonly store: Store;
  readonly nodeName: string;
  readonly hostUuid: string;
  /** The kernel's boot id (`readBootId`): tells our own earlier process from a copy of this machine. */
  readonly bootId: string;
  /** For messages on both hosts: OS host name, and an address when known. */
  readonly hostName: string;
  readonly address?: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Life of the lease without its holder; 15 s unless told. */
  readonly ttlSeconds?: number;
  /** First and longest pause between tries, 250 ms and 5 s unless told. */
  readonly pauseMs?: { readonly first: number; readonly last: number };
  /** Called after each change of the decision. Must not throw. */
  readonly onChange?: (decision: Decision) => void;
}

export interface NodeHold {
  mayAllocate(): Decision;
  /** Waits until the name is ours or a rival is seen to have it; rejects with the abort fault. */
  decided(signal: AbortSignal): Promise<Decision>;
  /** The rival, while contested. */
  rival(): Holder | undefined;
  /** Ends the work and gives the name back, within 2 s. */
  stop(): Promise<void>;
}

const CALL_MS = 5_000;
const RELEASE_MS = 2_000;
/** Clocks and renewals of the lease are not exact: this much longer than its life proves a living holder. */
const LEASE_SLACK_MS = 5_000;

interface Work extends NodeHoldOptions {
  readonly key: string;
  readonly self: Holder;
  readonly ttl: number;
  readonly stop: AbortSignal;
  readonly waiting: Set<() => void>;
  decision: Decision;
  rival: Holder | undefined;
  everHeld: boolean;
  /** The foreign value seen last, and since when (monotonic). */
  foreign: { value: string; since: number };
}

/**
 * Holds the node name by a key with a lease (architecture §3, "Who owns an address"), until `stop`. A second
 * machine under the name neither gives out nor frees addresses, and both are named in its log and status.
 * The key is watched too: a restored or emptied datastore takes it away while the lease goes on.
 */
export function holdNodeName(options: NodeHoldOptions): NodeHold {
  const stopping = new AbortController();
  const work: Work = {
    ...options,
    key: nodeHoldKey(options.nodeName),
    self: selfOf(options),
    ttl: options.ttlSeconds ?? 15,
    stop: stopping.signal,
    waiting: new Set(),
    decision: refusal('hold-pending', `node name ${options.nodeName} is being claimed`),
    rival: undefined,
    everHeld: false,
    foreign: { value: '', since: 0 },
  };
  const running = run(work);
  return {
    mayAllocate: () => work.decision,
    rival: () => work.rival,
    decided: (signal) => decided(work, signal),
    stop: async () => {
      stopping.abort(
        new Fault('unavailable', 'the node name was given back', { reason: 'stopped' }),
      );
      await running;
    },
  };
}

function selfOf({ nodeName, hostUuid, bootId, hostName, address, clock }: NodeHoldOptions): Holder {
  return {
    node: nodeName,
    uuid: hostUuid,
    bootId,
    instance: randomUUID(),
    hostName,
    ...(address === undefined ? {} : { address }),
    since: new Date(clock.now()).toISOString(),
  };
}

async function run(work: Work): Promise<void> {
  const { first, last } = work.pauseMs ?? { first: 250, last: 5_000 };
  let pauses = backoff(first, last);
  while (!work.stop.aborted) {
    try {
      const hold = await claim(work);
      if (hold !== undefined) {
        await keep(work, hold);
        pauses = backoff(first, last);
      }
    } catch (error) {
      tellUnreachable(work, error);
    }
    await pause(pauses.next().value, work.stop);
  }
  tell(work, refusal('hold-lost', `node name ${work.nodeName} was given back`));
}

/** One try: the hold, or undefined after telling who has the name. */
async function claim(work: Work): Promise<Hold | undefined> {
  const { store, key, self } = work;
  const call = { signal: deadline(CALL_MS, work.stop) };
  const take = (): Promise<Hold> => store.hold(key, encodeHolder(self), work.ttl, call);
  try {
    return await take();
  } catch (error) {
    if (!isFault(error, 'exists')) throw error;
  }
  const entry = await store.get(key, call);
  if (entry === undefined) return undefined;
  const other = decodeHolder(entry.value);
  const verdict = judgeHolder(self, other, {
    everHeld: work.everHeld,
    outlivedLease: standingFor(work, entry) > work.ttl * 1000 + LEASE_SLACK_MS,
  });
  if (verdict === 'take-over') {
    // The compare leaves alone whoever came between the read and now; then the next try sees it.
    const compares = [{ key, revision: entry.revision }];
    const result = await store.commit({ compares, writes: [{ key, value: null }] }, call);
    return result.committed ? take() : undefined;
  }
  work.rival = verdict === 'contested' ? other : undefined;
  tell(work, verdict === 'contested' ? contested(self, other) : waitsFor(self, other));
  return undefined;
}

function standingFor(work: Work, entry: Entry): number {
  const now = work.clock.monotonic();
  if (work.foreign.value !== entry.value) work.foreign = { value: entry.value, since: now };
  return now - work.foreign.since;
}

/** Returns when the name is no longer ours, having told so. Store failures end nothing while the lease lives. */
async function keep(work: Work, hold: Hold): Promise<void> {
  const { first, last } = work.pauseMs ?? { first: 250, last: 5_000 };
  let pauses = backoff(first, last);
  const ended = AbortSignal.any([hold.lost, work.stop]);
  while (!ended.aborted) {
    try {
      const call = { signal: deadline(CALL_MS, ended) };
      const entry = await work.store.get(work.key, call);
      if (entry?.value !== encodeHolder(work.self)) break;
      work.everHeld = true;
      work.rival = undefined;
      tell(work, { ok: true });
      await keyChanged(work.store, entry, ended);
      pauses = backoff(first, last);
    } catch (error) {
      if (!ended.aborted) work.log.debug({ reason: toFault(error).reason }, messageOf(error));
      await pause(pauses.next().value, ended);
    }
  }
  if (!work.stop.aborted) {
    tell(
      work,
      refusal('hold-lost', `the lease on node name ${work.nodeName} was lost; claims it again`),
    );
  }
  await giveBack(work, hold);
}

async function giveBack(work: Work, hold: Hold): Promise<void> {
  try {
    await orAbort(hold.release(), deadline(RELEASE_MS), 'giving back the node name');
  } catch (error) {
    work.log.debug(
      { reason: toFault(error).reason },
      `the lease runs out by itself: ${messageOf(error)}`,
    );
  }
}

/** A stop ends the pause, and the loop around it sees the same signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function tellUnreachable(work: Work, error: unknown): void {
  if (work.stop.aborted) return;
  const message = `node name ${work.nodeName} cannot be claimed in ${work.store.description}: ${messageOf(error)}`;
  tell(work, refusal('hold-unreachable', `${message}; goes on trying`));
}

function tell(work: Work, decision: Decision): void {
  const before = work.decision;
  work.decision = decision;
  if (isSettled(decision)) for (const wake of [...work.waiting]) wake();
  if (JSON.stringify(before) === JSON.stringify(decision)) return;
  if (decision.ok) work.log.info({ node: work.nodeName }, `node name ${work.nodeName} is held`);
  else work.log.warn({ node: work.nodeName, reason: decision.reason }, decision.message);
  work.onChange?.(decision);
}

async function decided(work: Work, signal: AbortSignal): Promise<Decision> {
  if (isSettled(work.decision)) return work.decision;
  let wake: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    wake = resolve;
    work.waiting.add(wake);
  });
  try {
    await orAbort(settled, signal, 'claiming the node name');
    return work.decision;
  } finally {
    work.waiting.delete(wake);
  }
}
