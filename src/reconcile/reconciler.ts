import { deadline, Fault, messageOf, sleep, toFault, type Clock, type Log } from '../base/index.js';
import type { DockerLook } from '../docker/index.js';
import { Address } from '../model/index.js';
import { findLeftovers, type Sightings, type Waiting } from './leftovers.js';
import type { ReconcilePorts } from './ports.js';
import type { Candidate, DockerEvidence, NotYet } from './proof.js';

export interface ReconcilerOptions {
  readonly ports: ReconcilePorts;
  readonly node: string;
  readonly hostUuid: string;
  readonly reclaim: 'on' | 'off';
  /** `reclaim.minimumAge`; 10 minutes unless told. */
  readonly minimumAgeMs?: number;
  /** Between two passes; 1 minute unless told. */
  readonly intervalMs?: number;
  readonly log: Log;
  readonly clock: Clock;
}

export interface PassReport {
  readonly freed: readonly Candidate[];
  /** How many are left alone for which reason. */
  readonly waiting: Readonly<Partial<Record<NotYet, number>>>;
  /** What may be left over but is not proven, at most `MOST_SHOWN` of it, each with the reason. */
  readonly unproven: readonly {
    readonly what: string;
    readonly reason: NotYet;
    readonly why: string;
  }[];
  /** Proven, but the release failed or came too late. */
  readonly failed: number;
  /** Candidates that were freed since the start. */
  readonly freedInAll: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Reconciler {
  /** One pass now; rejects when the store or the kernel cannot be read. */
  pass(signal: AbortSignal): Promise<PassReport>;
  /** The newest complete pass. */
  report(): PassReport | undefined;
  /** Passes for ever; settles when the signal fires. */
  run(signal: AbortSignal): Promise<void>;
}

/** Bound of one pass, and of each release in it. */
const PASS_MS = 120_000;
const FREE_MS = 10_000;

/** Finds what crashes left over, and frees it only on proof (`judge`). Ages count from this call on. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { clock, intervalMs = 60_000, log } = options;
  const startedAt = clock.monotonic();
  let sightings: Sightings = new Map();
  let report: PassReport | undefined;
  let freedInAll = 0;

  async function pass(signal: AbortSignal): Promise<PassReport> {
    const bound = deadline(PASS_MS, signal);
    // The store before Docker and the kernel: what is claimed after this read is no candidate yet.
    const candidates = await options.ports.candidates(bound);
    const evidence = await gather(options, candidates, startedAt, bound);
    const findings = findLeftovers(candidates, evidence, sightings);
    sightings = findings.sightings;
    const freed: Candidate[] = [];
    for (const candidate of findings.free) {
      if (await freeOne(options, candidate, bound)) freed.push(candidate);
    }
    const waiting: Partial<Record<NotYet, number>> = {};
    for (const { reason } of findings.waiting) waiting[reason] = (waiting[reason] ?? 0) + 1;
    freedInAll += freed.length;
    report = {
      ...{ freed, waiting, freedInAll },
      unproven: unproven(findings.waiting),
      failed: findings.free.length - freed.length,
      at: clock.now(),
    };
    return report;
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await pass(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn(
          { reason: toFault(error).reason },
          `looking for leftovers failed: ${messageOf(error)}`,
        );
      }
      await sleep(intervalMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  return { pass, run, report: () => report };
}

/** Reasons that show that it is in use, or nobody's business here: it is no candidate at all. */
const NOT_LEFT: readonly NotYet[] = ['live-endpoint', 'live-network', 'kept', 'not-ours'];
const MOST_SHOWN = 50;

function unproven(waiting: readonly Waiting[]): PassReport['unproven'] {
  return waiting
    .filter(({ reason }) => !NOT_LEFT.includes(reason))
    .slice(0, MOST_SHOWN)
    .map(({ candidate, reason, message }) => ({ what: candidate.id, reason, why: message }));
}

async function gather(
  options: ReconcilerOptions,
  candidates: readonly Candidate[],
  startedAt: number,
  signal: AbortSignal,
): Promise<Parameters<typeof findLeftovers>[1]> {
  const { ports, clock, reclaim, node, hostUuid, minimumAgeMs = 600_000 } = options;
  const [docker, kernel, recordedEngineId] = await Promise.all([
    lookOrUndefined(options, signal),
    ports.kernel(candidates, signal),
    ports.recordedEngineId(signal),
  ]);
  return {
    reclaim,
    node,
    hostUuid,
    holdsNodeName: ports.holdsNodeName(),
    docker,
    recordedEngineId,
    kernel,
    at: clock.monotonic(),
    startedAt,
    now: clock.now(),
    minimumAge: minimumAgeMs,
  };
}

async function lookOrUndefined(
  { ports, log }: ReconcilerOptions,
  signal: AbortSignal,
): Promise<DockerEvidence | undefined> {
  let look: DockerLook;
  try {
    look = await ports.look(signal);
  } catch (error) {
    if (signal.aborted) throw error;
    log.debug({ reason: toFault(error).reason }, `no look at Docker: ${messageOf(error)}`);
    return undefined;
  }
  const addresses = [...look.addresses].map((text) => Address.tryParse(text)?.toString() ?? text);
  const { engineId, networkIds, endpointIds } = look;
  return { engineId, networkIds, endpointIds, addresses: new Set(addresses) };
}

async function freeOne(
  { ports, log }: ReconcilerOptions,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<boolean> {
  const { id, handle, endpointId } = candidate;
  const about = { candidate: id, handle, endpoint: endpointId };
  try {
    const outcome = await ports.free(candidate, deadline(FREE_MS, signal));
    if (outcome === 'freed') log.info(about, `${id} was left over and is free again`);
    else log.info({ ...about, reason: outcome }, `${id} was left over, but is ${outcome} now`);
    return outcome === 'freed';
  } catch (error) {
    if (signal.aborted) throw error instanceof Fault ? error : toFault(error);
    // The proof stands; the next pass tries again.
    log.warn(
      { ...about, reason: toFault(error).reason },
      `${id} cannot be freed: ${messageOf(error)}`,
    );
    return false;
  }
}
