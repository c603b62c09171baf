import type { Change, CommitResult, Entry, Transaction } from '../index.js';
import type { Writer } from './environment.js';
import type { Step } from './history.js';

export interface Request {
  readonly transaction: Transaction;
  /** Every key written is one that goes when its holder ends. */
  readonly held: boolean;
}

export interface Outcome {
  /** One for each request. */
  readonly results: readonly CommitResult[];
  readonly steps: readonly Step[];
  readonly before: bigint;
  readonly after: bigint;
}

/** Runs inside lmdb's transaction: every commit sees those before it. */
export function applyAll(writer: Writer, group: readonly Request[]): Outcome {
  const before = writer.revision();
  const held = new Set(writer.heldKeys());
  let revision = before;
  const steps: Step[] = [];
  const results = group.map((job): CommitResult => {
    const { compares, reads = [] } = job.transaction;
    if (
      !compares.every(({ key, revision: wanted }) => (writer.get(key)?.revision ?? 0n) === wanted)
    ) {
      const current = new Map<string, Entry | undefined>(
        reads.map((key) => [key, writer.get(key)]),
      );
      return { committed: false, revision, current };
    }
    const changes = apply(writer, job, revision + 1n, held);
    if (changes.length > 0) {
      revision += 1n;
      steps.push({ revision, changes });
    }
    return { committed: true, revision };
  });
  if (revision !== before) writer.setRevision(revision);
  return { results, steps, before, after: revision };
}

function apply(writer: Writer, job: Request, revision: bigint, held: Set<string>): Change[] {
  const changes: Change[] = [];
  for (const { key, value } of job.transaction.writes) {
    if (held.delete(key)) writer.markHeld(key, false);
    if (value !== null) {
      writer.put(key, value, revision);
      if (job.held) {
        writer.markHeld(key, true);
        held.add(key);
      }
      changes.push({ type: 'put', entry: { key, value, revision } });
    } else if (writer.remove(key)) {
      changes.push({ type: 'delete', key, revision });
    }
  }
  return changes;
}
