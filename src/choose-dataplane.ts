import { randomUUID } from 'node:crypto';
import { findFelix, type Decision } from './agent/index.js';
import type { Clock, Log } from './base/index.js';
import { commitOrConflict, resourceKey, retryOnConflict, type Store } from './datastore/index.js';
import {
  decodeFelixConfiguration,
  encodeFelixConfiguration,
  updateFelixConfiguration,
} from './model/v3/index.js';

export interface Dataplane {
  readonly kind: 'internal' | 'external';
  /** What an operator should know about the choice. */
  readonly decision?: Decision;
}

/** Who does routes and policy on this host: as configured, and by `auto` whoever is there. */
export function chooseDataplane(
  wanted: 'auto' | 'internal' | 'external',
  procRoot: string,
): Dataplane {
  const felix = findFelix(procRoot);
  const tell = (subject: string, details: string): { readonly decision: Decision } => ({
    decision: { reason: 'felix', subject, details },
  });
  if (wanted === 'auto') {
    if (felix === undefined) return { kind: 'internal' };
    return {
      kind: 'external',
      ...tell('auto', `Felix runs on this host (${felix}) and is left routes and policy`),
    };
  }
  if (wanted === 'internal' && felix !== undefined) {
    const words = `Felix runs on this host (${felix}) beside our own agent: each undoes what the other sets; stop it, or set dataplane to external`;
    return { kind: 'internal', ...tell('internal', words) };
  }
  if (wanted === 'external' && felix === undefined) {
    const words =
      'no Felix runs on this host: containers have no routes and no policy until it does';
    return { kind: 'external', ...tell('external', words) };
  }
  return { kind: wanted };
}

const ATTEMPTS = 5;

/**
 * With Felix, what a container sends to its own host is dropped unless `defaultEndpointToHostAction` says otherwise;
 * calico/node sets it to Return for each host outside of Kubernetes. So do we, unless it is set, for all nodes or for
 * this one.
 */
export async function ensureReturnAction(
  options: {
    readonly store: Store;
    readonly node: string;
    readonly clock: Clock;
    readonly log: Log;
  },
  signal: AbortSignal,
): Promise<void> {
  const { store, node, clock, log } = options;
  const keys = ['default', `node.${node}`].map((name) => resourceKey('felixconfigurations', name));
  await retryOnConflict(ATTEMPTS, async () => {
    const entries = [...(await store.getMany(keys, { signal })).values()];
    const isSet = entries.some(
      (entry) =>
        entry !== undefined &&
        decodeFelixConfiguration(entry.value, entry.key).defaultEndpointToHostAction !== undefined,
    );
    if (isSet) return;
    const [, own] = entries;
    const [, key = ''] = keys;
    const spec = { defaultEndpointToHostAction: 'Return' };
    const identity = { uid: randomUUID(), createdAt: new Date(clock.now()) };
    const value =
      own === undefined
        ? encodeFelixConfiguration(`node.${node}`, spec, identity)
        : updateFelixConfiguration(own.value, spec);
    const compares = [{ key, revision: own?.revision ?? 0n }];
    await commitOrConflict(store, { compares, writes: [{ key, value }] }, key, { signal });
    log.info({ key }, 'Felix lets containers reach their own host, as far as policy does');
  });
}
