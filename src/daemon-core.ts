import { allocationGate, storeAnswers } from './allocation-gate.js';
import { createAgent, type Agent } from './agent/index.js';
import { bgpSettings } from './bgp-settings.js';
import type { Clock, Log } from './base/index.js';
import { chooseStore, type DaemonConfig } from './config/index.js';
import { createSyncer, type Store } from './datastore/index.js';
import {
  createDockerInventory,
  createStartAgain,
  isDriver,
  type DockerInventory,
  type StartAgain,
} from './docker/index.js';
import { chooseDataplane, ensureReturnAction } from './choose-dataplane.js';
import { Closers, lifeOf } from './closers.js';
import { watched } from './failpoints.js';
import { followInventory } from './follow-inventory.js';
import {
  describeExchange,
  othersClaimed,
  refuseUnnoticed,
  requirePools,
  type ExchangeNews,
} from './exchange.js';
import type { AllocationGate } from './ipam/index.js';
import { joinCluster, type Joined } from './join-cluster.js';
import { NodeKeeper } from './keep-node.js';
import { felixFromVariables } from './model/v3/index.js';
import { createKernelNetlink, type Netlink } from './netlink/index.js';
import { createNft, type Nft } from './nft/index.js';
import {
  loadHostUuid,
  recordedDatastore,
  recordNodename,
  type LineageKeeper,
  type NodeHold,
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
  /** When and how the datastore was found to be another one; undefined when it was not, in this life. */
  readonly exchange: ExchangeNews | undefined;
  readonly keeper: LineageKeeper;
  /** Whether addresses may be given out now. */
  readonly gate: AllocationGate;
  readonly inventory: DockerInventory;
  readonly reconciler: Reconciler;
  readonly startAgain: StartAgain;
  /** The own Node, kept true. */
  readonly nodeKeeper: NodeKeeper;
  readonly nft: Nft;
  stop(): Promise<void>;
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

async function start(given: DaemonCoreOptions, closers: Closers): Promise<DaemonCore> {
  const options = { ...given, signal: lifeOf(given.signal, closers) };
  const { config, log } = options;
  const { uuid } = await loadHostUuid(config.stateDir);
  const recorded = await recordedDatastore(config.stateDir);
  const chosen = chooseStore({
    wanted: config.datastoreType,
    configured: config.datastore,
    recorded,
  });
  const store = watched(config, 'datastore', await openStore(chosen, config.stateDir, log));
  closers.add(() => store.close());
  const netlink = watched(config, 'netlink', createKernelNetlink({ log }));
  closers.add(() => netlink.close());
  const nft = watched(config, 'nft', await createNft({ log }));
  closers.add(() => nft.close());
  const joined = await joinCluster(options, { store, recorded, netlink, uuid }, closers);
  await recordNodename(config.stateDir, config.nodeName.name);
  return wire(options, { ...joined, store: joined.keeper.store, netlink, nft, uuid }, closers);
}

interface Opened extends Joined {
  readonly store: Store;
  readonly netlink: Netlink;
  readonly nft: Nft;
  readonly uuid: string;
}

async function wire(
  options: DaemonCoreOptions,
  opened: Opened,
  closers: Closers,
): Promise<DaemonCore> {
  const { config, log, clock, signal, pending } = options;
  const { store, netlink, nft, hold, keeper, verdict, registration, uuid } = opened;
  const gate = allocationGate(hold, keeper);
  const exchanged = verdict.kind !== 'same';
  const { driverName, ipamDriverName, nodeName, runDir, namespace, interfacePrefix, vethMtu } =
    config;
  const node = nodeName.name;
  const nodeKeeper = new NodeKeeper(registration, (bound) => opened.register(bound), log);
  closers.add(() => nodeKeeper.stop());
  const felix = felixFromVariables(config.felix);
  const { hostReach, plainRoutes, procRoot } = config;
  const chosen = chooseDataplane(config.dataplane, procRoot);
  if (chosen.decision !== undefined) log.warn(chosen.decision, 'dataplane');
  if (chosen.kind === 'external') await ensureReturnAction({ store, node, clock, log }, signal);
  const agent = createAgent({
    settings: {
      ...{ nodeName: node, hostReach, plainRoutes, procRoot, felix },
      dataplane: chosen.kind,
      bgp: bgpSettings(config, store, chosen.kind),
    },
    onHostChange: () => nodeKeeper.mark(),
    netlink,
    nft,
    createSyncer: (parts) => createSyncer({ ...parts, store, clock }),
    log,
    clock,
  });
  agent.tell(chosen.decision);
  const inventory = createDockerInventory({
    socketPath: config.dockerSocket,
    driverName,
    ipamDriverName,
    log,
    clock,
    signal,
    onConnected: () => startAgain.wake(),
  });
  closers.add(() => inventory.stop());
  const startAgain = createStartAgain({
    inventory,
    storeAnswers: (until) => storeAnswers(store, gate, until),
    log,
  });
  closers.add(() => startAgain.stop());
  const plugin = await createPluginCore(
    {
      store,
      host: { node, uuid },
      netlink,
      programmer: agent,
      names: inventory,
      gate,
      foreignNetworksExist: () =>
        inventory.networks().some(({ driver }) => !isDriver(driver, driverName)),
      rememberDeletion: (endpointId) => pending.record('delete-endpoint', { endpointId }),
      settings: { namespace, interfacePrefix, vethMtu },
      createProfiles: config.createProfiles,
      runDir,
      stateDir: config.stateDir,
      exchanged,
      drivers: { driver: driverName, ipamDriver: ipamDriverName },
      rememberRelease: ({ address, poolId, handle }) =>
        rememberRelease(pending, { address: address.toString(), poolId, handle }, log),
      onUnknownClaim: (handle, block) =>
        rememberRelease(pending, { handle, block: block.toString() }, log),
      onNetworkCount: options.onNetworkCount,
      clock,
      log,
    },
    signal,
  );
  closers.add(() => plugin.stop());
  if (verdict.kind === 'same') await refuseUnnoticed(plugin.claims, config.stateDir);
  if (exchanged) requirePools(plugin, verdict);
  else plugin.forgetNetworks();
  await keeper.claimed(signal);
  if (verdict.kind === 'exchanged') await othersClaimed(keeper, signal);
  agent.restore(plugin.restored);
  closers.add(() => agent.stop());
  await agent.start(signal);
  plugin.tunnels.start();
  followInventory({ options, store, plugin, inventory, uuid });
  const reconciler = createReconciler({
    ports: reconcilePorts({ plugin, netlink, inventory, hold, store, node, hostUuid: uuid }),
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
    exchange: describeExchange(verdict, clock.now()),
    keeper,
    gate,
    inventory,
    reconciler,
    startAgain,
    nodeKeeper,
    nft,
    stop: () => closers.close(log),
  };
}

function rememberRelease(
  pending: Pending,
  payload: Readonly<Record<string, string>>,
  log: Log,
): void {
  pending.record('release-address', payload).catch((error: unknown) => {
    log.error(
      { ...payload, err: error },
      'an address may stay taken: its release could not be written down',
    );
  });
}
