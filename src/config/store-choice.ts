import { Fault } from '../base/index.js';
import type { DatastoreConfig } from './datastore-config.js';

export interface StoreQuestion {
  /** The setting `datastoreType`. */
  readonly wanted: 'auto' | 'etcdv3' | 'embedded';
  /** What calicoctl is configured for, undefined when nothing is. */
  readonly configured: DatastoreConfig | undefined;
  /** The datastore that this host belonged to at its last start, undefined on a new host. */
  readonly recorded:
    { readonly type: 'etcdv3' | 'embedded'; readonly clusterGuid: string } | undefined;
}

/**
 * Which datastore the daemon opens. The embedded one opens by itself only where nothing is configured
 * and this host never belonged to another: a cluster host that lost its file must not hand out
 * addresses of its own (product.md §4). Throws `refused` or `invalid` with what to do.
 */
export function chooseStore({ wanted, configured, recorded }: StoreQuestion): DatastoreConfig {
  if (wanted === 'embedded') return { type: 'embedded', source: 'datastoreType' };
  if (configured !== undefined && (wanted === 'auto' || configured.type === wanted)) {
    return configured;
  }
  if (wanted === 'etcdv3') {
    const message =
      'datastoreType is etcdv3, but no etcd endpoints are specified: set etcdEndpoints in /etc/calico/calicoctl.cfg or ETCD_ENDPOINTS';
    throw new Fault('invalid', message, { reason: 'datastore-config' });
  }
  if (recorded?.type === 'etcdv3') {
    const message = `no datastore is configured, but this host belongs to the cluster ${recorded.clusterGuid} in etcd: restore /etc/calico/calicoctl.cfg, or set datastoreType: embedded to leave the cluster`;
    throw new Fault('refused', message, { reason: 'datastore-lost' });
  }
  return { type: 'embedded', source: 'nothing is configured' };
}
