import { join } from 'node:path';
import { createAgent, type Agent } from './agent/index.js';
import { Fault, type Clock, type Log } from './base/index.js';
import { chooseStore, type DaemonConfig } from './config/index.js';
import { createSyncer, resourceKey, type Store } from './datastore/index.js';
import {
  createDockerInventory,
  startMetadataWriter,
  type DockerInventory,
} from './docker/index.js';
import type { Cidr } from './model/index.js';
import { decodeClusterInformation } from './model/v3/index.js';
import { createKernelNetlink, type Netlink } from './netlink/index.js';
import { createNft, type Nft } from './nft/index.js';
import {
  holdNodeName,
  loadHostUuid,
  readBootId,
  recordDatastore,
  recordedDatastore,
  recordEngine,
  recordNodename,
  registerNode,
  type NodeHold,
  type Registration,
} from './node/index.js';
import { openStore } from './open-store.js';
import { createPluginCore, type PluginCore } from './plugin-core.js';
import { createReconciler, type Pending, type Reconciler } from './reconcile/index.js';
import { reconcilePorts } from './reconcile-ports.js';

export interface DaemonCoreOptions {
  readonly config: DaemonConfig;
  readonly version: string;
  readonly osHostname: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly pending: Pending;
  readonly onNetworkCount: (count: number) => void;
  /** Stops everything. */
  readonly signal: AbortSignal;
}

/** Everything behind the sockets, once the datastore was reached. */
export interface DaemonCore {
  readonly plugin: PluginCore;
  readonly store: Store;
  readonly agent: Agent;
  readonly hold: NodeHold;
  readonly inventory: DockerInventory;
  readonly reconciler: Reconciler;
  readonly registration: Registration;
  readonly nft: Nft;
  stop(): Promise<void>;
}

/** What was opened so far, to be closed in reverse order when a later step fails and at the end. */
class Closers {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Every step runs, whatever the others do; failures are told together. */
  async close(log: Log): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.warn({ err: error }, 'a part did not stop cleanly');
      }
    }
  }
}

/**
 * Opens the store, takes the node name, registers the host, reads what is its own, takes over the kernel.
 * Undoes its own steps when one fails: the daemon tries again.
 */
export async function startDaemonCore(options: DaemonCoreOptions): Promise<DaemonCore> {
  const closers = new Closers();
  try {
    return await start(options, closers);
  } catch (error) {
    await closers.close(options.log);
    throw error;
  }
}

async function start(options: DaemonCoreOptions, closers: Closers): Promise<DaemonCore> {
  const { config, log, signal } = options;
  const { uuid } = await loadHostUuid(config.stateDir);
  const recorded = await recordedDatastore(config.stateDir);
  const chosen = chooseStore({
    wanted: config.datastoreType,
    configured: config.datastore,
    recorded,
  });
  const store = await openStore(chosen, config.stateDir, log);
  closers.add(() => store.close());
  await refuseExchangedStore(
    store,
    recorded?.type === store.type ? recorded.clusterGuid : undefined,
    config,
    signal,
  );
  const netlink = createKernelNetlink({ log });
  closers.add(() => netlink.close());
  const nft = await createNft({ log });
  closers.add(() => nft.close());
  const hold = await takeNodeName(options, store, uuid);
  closers.add(() => hold.stop());
  const registration = await register(options, store, netlink, uuid);
  const { name } = config.nodeName;
  await recordNodename(config.stateDir, name);
  const { id: storeId } = await store.identify({ signal });
  await recordDatastore(config.stateDir, {
    type: store.type,
    storeId,
    clusterGuid: registration.clusterGuid,
  });
  return wire(options, { store, netlink, nft, hold, registration, uuid }, closers);
}

interface Opened {
  readonly store: Store;
  readonly netlink: Netlink;
  readonly nft: Nft;
  readonly hold: NodeHold;
  readonly registration: Registration;
  readonly uuid: string;
}

async function wire(
  options: DaemonCoreOptions,
  opened: Opened,
  closers: Closers,
): Promise<DaemonCore> {
  const { config, log, clock, signal, pending } = options;
  const { store, netlink, nft, hold, registration, uuid } = opened;
  const { driverName, ipamDriverName, nodeName, runDir, namespace, interfacePrefix, vethMtu } =
    config;
  const node = nodeName.name;
  const agent = createAgent({
    settings: { nodeName: node, hostReach: config.hostReach },
    netlink,
    nft,
    createSyncer: (parts) => createSyncer({ ...parts, store, clock }),
    log,
    clock,
  });
  const inventory = createDockerInventory({
    socketPath: config.dockerSocket,
    driverName,
    ipamDriverName,
    log,
    clock,
    signal,
  });
  closers.add(() => inventory.stop());
  const plugin = await createPluginCore(
    {
      store,
      host: { node, uuid },
      netlink,
      programmer: agent,
      names: inventory,
      gate: hold,
      settings: { namespace, interfacePrefix, vethMtu },
      createProfiles: config.createProfiles,
      runDir,
      drivers: { driver: driverName, ipamDriver: ipamDriverName },
      onUnknownClaim: (handle, block) => recordUnknownClaim(pending, handle, block, log),
      onNetworkCount: options.onNetworkCount,
      clock,
      log,
    },
    signal,
  );
  closers.add(() => plugin.stop());
  agent.restore(plugin.restored);
  closers.add(() => agent.stop());
  await agent.start(signal);
  followInventory({ options, store, plugin, inventory, uuid });
  const reconciler = createReconciler({
    ports: reconcilePorts({ plugin, netlink, inventory, hold, store, node }),
    node,
    hostUuid: uuid,
    reclaim: config.reclaim.enabled ? 'on' : 'off',
    minimumAgeMs: config.reclaim.minimumAgeMs,
    log,
    clock,
  });
  void reconciler.run(signal);
  return {
    plugin,
    store,
    agent,
    hold,
    inventory,
    reconciler,
    registration,
    nft,
    stop: () => closers.close(log),
  };
}

/**
 * A restored, emptied or exchanged datastore must not make this host give out addresses that others have:
 * another cluster under the same state folder is refused until an operator says that it is meant.
 */
async function refuseExchangedStore(
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
  await hold.decided(signal);
  return hold;
}

async function register(
  options: DaemonCoreOptions,
  store: Store,
  netlink: Netlink,
  hostUuid: string,
): Promise<Registration> {
  const { config, log, clock, version, signal } = options;
  const [links, addresses, routes4, routes6] = await Promise.all([
    netlink.links(),
    netlink.addresses(),
    netlink.routes(4),
    netlink.routes(6),
  ]);
  const registration = await registerNode({
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
  for (const warning of registration.warnings) log.warn({ warning }, 'node registration');
  log.info(
    { node: config.nodeName.name, store: store.description, written: registration.written.length },
    'host registered',
  );
  return registration;
}

function recordUnknownClaim(pending: Pending, handle: string, block: Cidr, log: Log): void {
  pending.record('release-address', { handle, block: block.toString() }).catch((error: unknown) => {
    log.error(
      { handle, block: block.toString(), err: error },
      'an address may stay taken: the release could not be written down',
    );
  });
}

/** Names, labels and the engine's identity, as Docker tells them, in the background. */
function followInventory(parts: {
  readonly options: DaemonCoreOptions;
  readonly store: Store;
  readonly plugin: PluginCore;
  readonly inventory: DockerInventory;
  readonly uuid: string;
}): void {
  const { options, store, plugin, inventory, uuid } = parts;
  const { config, log, signal } = options;
  const { networks, endpoints } = plugin.driver;
  const background = (work: Promise<unknown>, what: string): void => {
    work.catch((error: unknown) => {
      if (!signal.aborted) log.warn({ err: error }, what);
    });
  };
  inventory.subscribe({
    onNetwork: (change) => {
      if (change.type !== 'learnt') return;
      const work = networks
        .rename(change.id, change.name, { signal })
        .then(() => endpoints.named(change.id, change.name));
      background(work, 'a network name could not be written down');
    },
  });
  startMetadataWriter({
    inventory,
    mode: config.labelEndpoints ? 'prefixed' : 'none',
    updateEndpoint: (endpointId, change) => endpoints.update(endpointId, change),
    log,
    signal,
  });
  const engineKnown = inventory.ready(signal).then(async () => {
    const { engine } = inventory.status();
    if (engine === undefined) return;
    await recordEngine(
      store,
      config.nodeName.name,
      uuid,
      { id: engine.id, version: engine.version },
      { signal },
    );
  });
  background(engineKnown, 'the Docker engine could not be recorded');
}
