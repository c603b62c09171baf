import { Fault } from '../../base/index.js';
import { resourceKey, ROOT } from '../../datastore/index.js';
import { decodeClusterInformation } from '../../model/v3/index.js';
import { isMovable, writeDatastoreFile } from '../datastore-file.js';
import type { Io } from '../io.js';
import { withObjects, type SharedOptions } from '../session.js';

/** datastore migrate export: everything as of one revision, of a locked datastore. */
export async function datastoreExportCommand(io: Io, options: SharedOptions): Promise<number> {
  return withObjects(io, options, async ({ store }) => {
    const { entries } = await store.list(ROOT);
    const key = resourceKey('clusterinformations', 'default');
    const information = entries.find((entry) => entry.key === key);
    const cluster =
      information === undefined ? undefined : decodeClusterInformation(information.value, key);
    if (cluster?.datastoreReady !== false) {
      throw new Fault(
        'refused',
        'Datastore is not locked. Run the `calicoctl datastore migrate lock` command in order to begin migration.',
        { reason: 'datastore-not-locked' },
      );
    }
    const movable = entries.filter((entry) => isMovable(entry.key));
    io.out(writeDatastoreFile(movable, cluster.clusterGuid ?? ''));
    return 0;
  });
}
