import {
  backoff,
  isFault,
  messageOf,
  orAbort,
  sleep,
  toFault,
  type FaultKind,
  type Log,
} from '../base/index.js';
import { endpointMetadata, type EndpointChange, type LabelMode } from './endpoint-metadata.js';
import type { DockerEndpoint } from './engine-records.js';
import type { DockerInventory } from './inventory.js';

export interface MetadataWriterOptions {
  readonly inventory: Pick<DockerInventory, 'subscribe'>;
  readonly mode: LabelMode;
  /**
   * One commit on the WorkloadEndpoint of a Docker endpoint, never on its block. `not-found` when there is
   * none of ours (yet); it must do nothing when everything stands there already.
   */
  readonly updateEndpoint: (
    endpointId: string,
    change: EndpointChange,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Pauses while the store does not answer, 500 ms to 30 s unless told. */
  readonly pauseMs?: { readonly first: number; readonly last: number };
}

export interface MetadataWriter {
  /** Endpoints whose names and labels are not written yet. */
  readonly waiting: number;
  /** Settles when the work has ended, after the signal. */
  readonly ended: Promise<void>;
}

/** More containers than a host can have; what is over is written at the next change of the container. */
const MOST_WAITING = 10_000;
/** The store or the way to it: the same endpoint is tried again. Anything else is final for it. */
const TRANSIENT: readonly FaultKind[] = [
  'unavailable',
  'timeout',
  'outcome-unknown',
  'conflict',
  'refused',
];

interface Work extends MetadataWriterOptions {
  /** Newest metadata per endpoint. */
  readonly queue: Map<string, DockerEndpoint>;
  wake: () => void;
}

/** Writes names and labels of containers onto their endpoints, one later commit each, in the background. */
export function startMetadataWriter(options: MetadataWriterOptions): MetadataWriter {
  const work: Work = { ...options, queue: new Map(), wake: () => undefined };
  const unsubscribe = options.inventory.subscribe({
    onEndpoint: (endpoint) => {
      if (work.queue.size >= MOST_WAITING && !work.queue.has(endpoint.endpointId)) {
        const message = `${MOST_WAITING} endpoints wait for their labels; those of ${endpoint.containerName} are left out`;
        work.log.warn({ endpoint: endpoint.endpointId, reason: 'queue-full' }, message);
        return;
      }
      work.queue.set(endpoint.endpointId, endpoint);
      work.wake();
    },
    onEndpointGone: (endpointId) => work.queue.delete(endpointId),
  });
  return {
    get waiting() {
      return work.queue.size;
    },
    ended: run(work).finally(unsubscribe),
  };
}

async function run(work: Work): Promise<void> {
  const { first, last } = work.pauseMs ?? { first: 500, last: 30_000 };
  let pauses = backoff(first, last);
  while (!work.signal.aborted) {
    const next = work.queue.values().next();
    if (next.done === true) {
      await nextEndpoint(work);
    } else if (await write(work, next.value)) {
      pauses = backoff(first, last);
    } else {
      await sleep(pauses.next().value, work.signal).catch((error: unknown) => {
        if (!work.signal.aborted) throw error;
      });
    }
  }
}

async function nextEndpoint(work: Work): Promise<void> {
  const woken = new Promise<void>((resolve) => {
    work.wake = resolve;
  });
  await orAbort(woken, work.signal, 'waiting for containers').catch((error: unknown) => {
    if (!work.signal.aborted) throw error;
  });
}

/** False when the same is to be tried again after a pause. */
async function write(work: Work, endpoint: DockerEndpoint): Promise<boolean> {
  const { endpointId, containerName } = endpoint;
  const { change, skipped } = endpointMetadata(endpoint, work.mode);
  try {
    await work.updateEndpoint(endpointId, change, work.signal);
  } catch (error) {
    if (work.signal.aborted) return false;
    const fault = toFault(error);
    if (TRANSIENT.includes(fault.kind)) {
      work.log.debug({ endpoint: endpointId, reason: fault.reason }, messageOf(error));
      putLast(work, endpoint);
      return false;
    }
    if (!isFault(error, 'not-found')) {
      const message = `labels of container ${containerName} cannot be written: ${fault.message}`;
      work.log.warn({ endpoint: endpointId, reason: fault.reason }, message);
    }
    done(work, endpoint);
    return true;
  }
  for (const { reason, message } of skipped) {
    work.log.warn({ endpoint: endpointId, container: containerName, reason }, message);
  }
  done(work, endpoint);
  return true;
}

/** One endpoint that keeps failing must not hold up the others. */
function putLast(work: Work, endpoint: DockerEndpoint): void {
  if (work.queue.get(endpoint.endpointId) !== endpoint) return;
  work.queue.delete(endpoint.endpointId);
  work.queue.set(endpoint.endpointId, endpoint);
}

/** Unless a newer word about the same endpoint came meanwhile. */
function done(work: Work, endpoint: DockerEndpoint): void {
  if (work.queue.get(endpoint.endpointId) === endpoint) work.queue.delete(endpoint.endpointId);
}
