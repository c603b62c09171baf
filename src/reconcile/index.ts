export { findLeftovers, type Findings, type Sightings, type Waiting } from './leftovers.js';
export { pendingKinds, type PendingKind, type PendingWork } from './pending-files.js';
export { createPending, type Pending, type PendingOptions } from './pending.js';
export type { Freed, ReconcilePorts } from './ports.js';
export {
  isOwnHandle,
  judge,
  notYetReasons,
  type Candidate,
  type DockerEvidence,
  type Evidence,
  type KernelEvidence,
  type NotYet,
  type Sighting,
  type Verdict,
} from './proof.js';
export {
  createReconciler,
  type PassReport,
  type Reconciler,
  type ReconcilerOptions,
} from './reconciler.js';
