import { join } from 'node:path';
import { Fault } from './base/index.js';
import type { DaemonConfig } from './config/index.js';
import { resourceKey, type Store } from './datastore/index.js';
import type { DaemonCoreOptions } from './daemon-core.js';
import { decodeClusterInformation } from './model/v3/index.js';
import type { Netlink } from './netlink/index.js';
import {
  holdNodeName,
  readBootId,
  registerNode,
  type NodeHold,
  type Registration,
} from './node/index.js';

/**
 * A restored, emptied or exchanged datastore must not make this host give out addresses that others have:
 * another cluster under the same state folder is refused until an operator says that it is meant.
 */
export async function refuseExchangedStore(
  store: Store,
  expected: string | undefined,
  config: DaemonConfig,
  signal: AbortSignal,
): Promise<void> {
  const key = resourceKey('clusterinformations', 'default');
  const entry = await store.get(key, { signal });
  if (expected === undefined) return;
  const found =
    entry === undefined ? undefined : decodeClusterInformation(entry.value, key).clusterGuid;
  if (found === expected) return;
  throw new Fault(
    'refused',
    `the datastore at ${store.description} is ${found === undefined ? 'empty' : `cluster ${found}`}, but this host belongs to cluster ${expected}: ` +
      `restore it, or remove ${join(config.stateDir, 'datastore.json')} if the change is meant and no container runs`,
    { reason: 'datastore-exchanged' },
  );
}

/** The hold on the node name; throws `refused` when another machine has it. */
export async function takeNodeName(
  options: DaemonCoreOptions,
  store: Store,
  hostUuid: string,
): Promise<NodeHold> {
  const { config, log, clock, signal, osHostname } = options;
  const hold = holdNodeName({
    store,
    nodeName: config.nodeName.name,
    hostUuid,
    bootId: await readBootId(),
    hostName: osHostname,
    log,
    clock,
  });
  const decision = await hold.decided(signal);
  if (decision.ok) return hold;
  // Another machine has the name: this one must not even register.
  await hold.stop();
  throw new Fault('refused', decision.message, { reason: decision.reason });
}

/** Node, cluster objects, default pools, as far as they are missing. */
export async function registerHost(
  options: DaemonCoreOptions,
  store: Store,
  netlink: Netlink,
  hostUuid: string,
): Promise<Registration> {
  const { config, log, signal } = options;
  const registration = await registerAgain(options, store, netlink, hostUuid, signal);
  for (const warning of registration.warnings) log.warn({ warning }, 'node registration');
  log.info(
    { node: config.nodeName.name, store: store.description, written: registration.written.length },
    'host registered',
  );
  return registration;
}

/** The same from what the kernel says now, without a word in the log. */
export async function registerAgain(
  options: DaemonCoreOptions,
  store: Store,
  netlink: Netlink,
  hostUuid: string,
  signal: AbortSignal,
): Promise<Registration> {
  const { config, log, clock, version } = options;
  const [links, addresses, routes4, routes6] = await Promise.all([
    netlink.links(),
    netlink.addresses(),
    netlink.routes(4),
    netlink.routes(6),
  ]);
  return registerNode({
    store,
    nodeName: config.nodeName.name,
    hostUuid,
    settings: config.node,
    view: { links, addresses, routes: [...routes4, ...routes6] },
    version,
    clock,
    log,
    signal,
  });
}
