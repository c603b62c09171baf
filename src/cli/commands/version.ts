import packageJson from '../../../package.json' with { type: 'json' };
import { isFault, messageOf } from '../../base/index.js';
import { resourceKey } from '../../datastore/index.js';
import { decodeClusterInformation } from '../../model/v3/index.js';
import type { Io } from '../io.js';
import { withObjects, type SharedOptions } from '../session.js';

export interface VersionOptions extends SharedOptions {
  readonly client?: boolean;
}

export const clientVersion: string = packageJson.version;

/** version: of this program, and what the cluster says about itself when it can be reached. */
export async function versionCommand(io: Io, options: VersionOptions): Promise<number> {
  io.out(`Client Version:    ${clientVersion}\n`);
  if (options.client === true) return 0;
  try {
    const cluster = await withObjects(io, options, async ({ store }) => {
      const entry = await store.get(resourceKey('clusterinformations', 'default'));
      return entry === undefined ? {} : decodeClusterInformation(entry.value, entry.key);
    });
    io.out(`Cluster Version:   ${cluster.calicoVersion ?? 'unknown'}\n`);
    io.out(`Cluster Type:      ${cluster.clusterType ?? 'unknown'}\n`);
    return 0;
  } catch (error) {
    if (!isFault(error)) throw error;
    io.err(`cluster version unknown: ${messageOf(error)}\n`);
    return 1;
  }
}
