import { Fault } from '../../base/index.js';
import { commitOrConflict, resourceKey, retryOnConflict } from '../../datastore/index.js';
import { lockedClusterInformation } from '../../model/v3/index.js';
import type { Io } from '../io.js';
import { withObjects, type SharedOptions } from '../session.js';

const ATTEMPTS = 5;
const KEY = resourceKey('clusterinformations', 'default');

/** datastore migrate lock, unlock: the flag of ClusterInformation that all agents wait for (datamodel §1.13). */
export async function datastoreLockCommand(
  io: Io,
  verb: 'lock' | 'unlock',
  options: SharedOptions,
): Promise<number> {
  return withObjects(io, options, async ({ store }) => {
    await retryOnConflict(ATTEMPTS, async () => {
      const entry = await store.get(KEY);
      if (entry === undefined) {
        const message = `the datastore at ${store.description} holds no cluster: nothing can be ${verb}ed there`;
        throw new Fault('not-found', message, { reason: 'no-cluster' });
      }
      const value = lockedClusterInformation(entry.value, verb === 'lock');
      if (value === entry.value) return;
      const compares = [{ key: KEY, revision: entry.revision }];
      await commitOrConflict(
        store,
        { compares, writes: [{ key: KEY, value }] },
        'ClusterInformation',
      );
    });
    io.out(`Datastore ${verb}ed.\n`);
    return 0;
  });
}
