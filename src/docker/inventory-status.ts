import type { EngineIdentity } from './engine-records.js';

export type InventoryState = 'starting' | 'connected' | 'unreachable' | 'stopped';

/** For `status` and metrics. */
export interface InventoryStatus {
  readonly state: InventoryState;
  /** Milliseconds since the epoch: since when the state holds. */
  readonly since: number;
  /** The engine that answered last. */
  readonly engine?: EngineIdentity;
  /** Why it does not answer. */
  readonly message?: string;
  readonly networks: number;
  readonly endpoints: number;
}
