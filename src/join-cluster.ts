import { join } from 'node:path';
import { Fault } from './base/index.js';
import type { DaemonConfig } from './config/index.js';
import { hasNothingToClaim } from './claim-files.js';
import type { Closers } from './closers.js';
import { DATASTORE_EXCHANGED, type Store } from './datastore/index.js';
import type { DaemonCoreOptions } from './daemon-core.js';
import type { Netlink } from './netlink/index.js';
import {
  examineDatastore,
  formatEpoch,
  holdNodeName,
  judgeDatastore,
  LineageKeeper,
  readBootId,
  recallHosts,
  registerNode,
  settleEpoch,
  type DatastoreVerdict,
  type NodeHold,
  type RecordedDatastore,
  type Registration,
} from './node/index.js';

/** What a host needs to begin in a cluster. */
export interface JoinParts {
  /** As it was opened. */
  readonly store: Store;
  readonly recorded: RecordedDatastore | undefined;
  readonly netlink: Netlink;
  readonly uuid: string;
}

export interface Joined {
  readonly verdict: DatastoreVerdict;
  readonly hold: NodeHold;
  readonly keeper: LineageKeeper;
  readonly registration: Registration;
  /** The same from what the kernel says now, without a word in the log. */
  register(signal: AbortSignal): Promise<Registration>;
}

/**
 * Looks whether the datastore is the one that this host was part of, takes the node name, and registers the host. In an
 * exchanged one an epoch begins in which all hosts claim the addresses of their containers before any gives out another.
 */
export async function joinCluster(
  options: DaemonCoreOptions,
  parts: JoinParts,
  closers: Closers,
): Promise<Joined> {
  const { config, log, clock, signal } = options;
  const { store, recorded, netlink, uuid } = parts;
  const host = { store, nodeName: config.nodeName.name, hostUuid: uuid };
  const found = await examineDatastore(host, { signal });
  const verdict = judgeDatastore(recorded, found);
  if (verdict.kind === 'foreign') throw foreign(verdict, parts, config);
  const hold = await takeNodeName(options, store, uuid);
  closers.add(() => hold.stop());
  const lineage = await settleEpoch(host, verdict, recorded, { signal, clock });
  if (verdict.kind === 'exchanged') {
    const { how, why } = verdict;
    log.warn({ how, why, epoch: lineage.epoch.number }, 'the datastore was exchanged');
    if (lineage.clusterGuid === recorded?.clusterGuid)
      await recallHosts(host, recorded.hosts ?? [], { signal });
  }
  const keeper = new LineageKeeper({
    ...{ ...host, ...lineage, log, clock, storeId: found.storeId, stateDir: config.stateDir },
    count: Math.max(found.count ?? 0, recorded?.count ?? 0),
  });
  closers.add(() => keeper.stop());
  const isNewcomer = verdict.kind === 'first' && hasNothingToClaim(config);
  // In place of the operator's pools, which went with the rest, default ones would only be in the way.
  const wasEmptied = verdict.kind === 'exchanged' && recorded?.type === 'etcdv3';
  const again = wasEmptied ? withoutDefaultPools(options) : options;
  const registration = await registerHost(
    isNewcomer ? { ...again, newcomerEpoch: formatEpoch(lineage.epoch) } : again,
    keeper.store,
    netlink,
    uuid,
  );
  const register = (bound: AbortSignal): Promise<Registration> =>
    registerAgain(again, keeper.store, netlink, uuid, bound);
  return { verdict, hold, keeper, registration, register };
}

/** Nothing is written into a cluster that this host was never part of, until an operator says that it is meant. */
function foreign(
  { clusterGuid }: DatastoreVerdict & { readonly kind: 'foreign' },
  { store, recorded }: JoinParts,
  config: DaemonConfig,
): Fault {
  return new Fault(
    'refused',
    `the datastore at ${store.description} is cluster ${clusterGuid}, but this host belongs to cluster ${recorded?.clusterGuid}: ` +
      `restore that one; or, if this host is to join the other, remove ${join(config.stateDir, 'datastore.json')}: the addresses of its containers are claimed there first`,
    { reason: DATASTORE_EXCHANGED },
  );
}

/** The hold on the node name; throws `refused` when another machine has it. */
async function takeNodeName(
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

function withoutDefaultPools(options: DaemonCoreOptions): DaemonCoreOptions {
  const { config } = options;
  return { ...options, config: { ...config, node: { ...config.node, noDefaultPools: true } } };
}

interface RegistrationOptions extends DaemonCoreOptions {
  /** Of a host that has nothing to claim. */
  readonly newcomerEpoch?: string;
}

/** Node, cluster objects, default pools, as far as they are missing. */
async function registerHost(
  options: RegistrationOptions,
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

async function registerAgain(
  options: RegistrationOptions,
  store: Store,
  netlink: Netlink,
  hostUuid: string,
  signal: AbortSignal,
): Promise<Registration> {
  const { config, log, clock, version, newcomerEpoch } = options;
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
    ...(newcomerEpoch === undefined ? {} : { newcomerEpoch }),
    clock,
    log,
    signal,
  });
}
