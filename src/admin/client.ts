import { parseJson, type Store } from '../datastore/index.js';
import { createChannel } from './channel.js';
import { createRemoteStore } from './remote-store.js';

export interface AdminClient {
  /** What the daemon's `status` returned. `unavailable` when no daemon listens. */
  status(options?: { readonly signal?: AbortSignal }): Promise<unknown>;
  /** The daemon's embedded store. `hold` is `unsupported`. */
  openStore(): Store;
}

/** Connects anew for every call; nothing to close but stores. */
export function createAdminClient(path: string): AdminClient {
  const channel = createChannel(path);
  return {
    status: async (options) => {
      const text = await channel.ask({ method: 'GET', url: '/status' }, options?.signal);
      return parseJson(text, `the status from ${path}`);
    },
    openStore: () => createRemoteStore(channel, path),
  };
}
