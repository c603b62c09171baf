import type { DaemonCore } from './daemon-core.js';
import type { DaemonOptions } from './daemon.js';
import type { Pending } from './reconcile/index.js';
import type { CallObserver } from './rpc/index.js';

export interface LocalServicesOptions extends DaemonOptions {
  readonly core: DaemonCore;
  readonly pending: Pending;
}

export interface LocalServices {
  readonly observe: CallObserver;
  stop(): Promise<void>;
}

/** The admin socket for calicoctl, and metrics and health when they are asked for. */
export async function startLocalServices(_options: LocalServicesOptions): Promise<LocalServices> {
  return { observe: () => undefined, stop: async () => undefined };
}
