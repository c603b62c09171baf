import {
  inUse,
  judge,
  type Candidate,
  type Evidence,
  type NotYet,
  type Sighting,
  type Verdict,
} from './proof.js';

/** First looks by candidate id; replaced, never changed. */
export type Sightings = ReadonlyMap<string, Sighting>;

export interface Waiting {
  readonly candidate: Candidate;
  readonly reason: NotYet;
  readonly message: string;
}

export interface Findings {
  /** Proven unused: to be freed with a compare of `revision`. */
  readonly free: readonly Candidate[];
  readonly waiting: readonly Waiting[];
  /** For the next look. */
  readonly sightings: Sightings;
}

/** Reasons that say nothing about the candidate itself: a first look before them still counts after them. */
const BLIND: readonly NotYet[] = ['reclaim-off', 'not-held', 'docker-unreachable', 'first-minute'];

/**
 * One pass over everything that may be left over. A sighting lasts while nothing speaks for the candidate: any
 * sign of life, another engine or another revision starts it anew, and what is gone from the store is forgotten.
 */
export function findLeftovers(
  candidates: readonly Candidate[],
  evidence: Evidence,
  earlier: Sightings,
): Findings {
  const free: Candidate[] = [];
  const waiting: Waiting[] = [];
  const sightings = new Map<string, Sighting>();
  for (const candidate of candidates) {
    const before = earlier.get(candidate.id);
    const verdict = judge(candidate, evidence, before);
    const sighting = nextSighting(candidate, evidence, before, verdict);
    if (sighting !== undefined) sightings.set(candidate.id, sighting);
    if (verdict.free) free.push(candidate);
    else waiting.push({ candidate, reason: verdict.reason, message: verdict.message });
  }
  return { free, waiting, sightings };
}

function nextSighting(
  candidate: Candidate,
  evidence: Evidence,
  before: Sighting | undefined,
  verdict: Verdict,
): Sighting | undefined {
  const { revision } = candidate;
  const same = before?.revision === revision ? before : undefined;
  if (verdict.free) return same;
  if (verdict.reason === 'seen-once') return same ?? { revision, at: evidence.at };
  // Blind towards Docker is not blind towards the kernel.
  const stillUnseen = BLIND.includes(verdict.reason) && inUse(candidate, evidence) === undefined;
  return stillUnseen ? same : undefined;
}
