import type { DockerLook } from '../docker/index.js';
import type { Candidate, KernelEvidence } from './proof.js';

/** What came of freeing one candidate. */
export type Freed =
  | 'freed'
  /** The revision was another one: somebody uses it again. */
  | 'changed'
  /** It was gone already. */
  | 'absent';

/** What the reconciler asks of the other rooms; daemon.ts wires it. */
export interface ReconcilePorts {
  /**
   * Addresses and endpoints in the store that carry this node's name, each address together with the endpoint
   * that has it. Whose they are and whether they are alive is decided here, not there.
   */
  candidates(signal: AbortSignal): Promise<readonly Candidate[]>;
  /** A fresh look; throws while Docker cannot be asked. */
  look(signal: AbortSignal): Promise<DockerLook>;
  /** Links, routes of ours, and the sandboxes of these endpoints. */
  kernel(candidates: readonly Candidate[], signal: AbortSignal): Promise<KernelEvidence>;
  /** Engine of the host record; undefined until one was recorded. */
  recordedEngineId(signal: AbortSignal): Promise<string | undefined>;
  holdsNodeName(): boolean;
  /**
   * Routes and policy first, then address and endpoint in one commit that compares `candidate.revision`
   * with the handle's revision (the endpoint's when there is no handle).
   */
  free(candidate: Candidate, signal: AbortSignal): Promise<Freed>;
}
