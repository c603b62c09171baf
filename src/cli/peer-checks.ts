import { resourceKey, type CallOptions, type Store } from '../datastore/index.js';
import { invalidFields, stringsOf } from '../model/v3/index.js';
import type { WriteCheck } from './objects.js';

/** A BGPPeer names filters that exist: without one its sessions would get and give nothing. */
export function peerCheck(store: Store, options?: CallOptions): WriteCheck {
  return async ({ spec }) => {
    const names = stringsOf(spec, 'filters');
    const keys = new Map(names.map((name) => [resourceKey('bgpfilters', name), name]));
    const present = await store.getMany([...keys.keys()], options);
    const missing = [...keys].filter(([key]) => present.get(key) === undefined);
    if (missing.length === 0) return;
    const reason = 'no such BGPFilter exists: create it first';
    throw invalidFields(missing.map(([, value]) => ({ field: 'Filters', value, reason })));
  };
}
