import { join } from 'node:path';
import { KeptWork, RecordJournal, type Clock, type Log } from './base/index.js';
import { endpointFiles, poolAddressFiles } from './claim-files.js';
import { createSyncer, type Store, type Syncer, type SyncListener } from './datastore/index.js';
import {
  Creations,
  EndpointBook,
  Endpoints,
  NetworkLedger,
  Networks,
  ProfileBook,
  Veths,
  WriteQueue,
  type ClaimReport,
  type DriverCore,
  type EndpointProgrammer,
  type EndpointSettings,
  type NetworkNames,
} from './driver/index.js';
import {
  Allocator,
  Catalog,
  createPoolRequests,
  PoolAddressLedger,
  PoolUseBook,
  type AllocationGate,
  type EndpointsByAddress,
  type ForgottenRelease,
  type Host,
  type IpamCore,
} from './ipam/index.js';
import { parseSelector, type Cidr, type Family, type LocalEndpoint } from './model/index.js';
import type { Netlink } from './netlink/index.js';
import { tunnelDevices } from './tunnel-devices.js';

export interface PluginCoreOptions {
  readonly store: Store;
  readonly host: Host;
  readonly netlink: Netlink;
  readonly programmer: EndpointProgrammer;
  readonly names: NetworkNames;
  readonly gate: AllocationGate;
  /** Docker has a network of another driver with our IPAM, as far as is known. */
  readonly foreignNetworksExist: () => boolean;
  /** Writes down that an endpoint has to be deleted. */
  readonly rememberDeletion: (endpointId: string) => Promise<void>;
  readonly settings: EndpointSettings;
  /** Make a network's profile when it has none. */
  readonly createProfiles: boolean;
  /** Emptied by a boot. */
  readonly runDir: string;
  /** Outlives it. */
  readonly stateDir: string;
  /** The datastore is another one than before: what this host owns there is written again. */
  readonly exchanged: boolean;
  readonly drivers: { readonly driver: string; readonly ipamDriver: string };
  /** A claim may have succeeded unseen: free later what the handle holds. */
  readonly onUnknownClaim: (handle: string, block: Cidr) => void;
  /** Writes down that an address has to be freed. */
  readonly rememberRelease: (release: ForgottenRelease) => void;
  /** Told how many networks this host has, after each change. */
  readonly onNetworkCount: (count: number) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Both drivers over one store, ready to answer: wiring of `ipam` and `driver`, which do not know each other. */
export interface PluginCore {
  readonly ipam: IpamCore;
  readonly driver: DriverCore;
  readonly catalog: Catalog;
  /** Endpoints whose interface is there at the start, for the agent. */
  readonly restored: readonly LocalEndpoint[];
  readonly book: EndpointBook;
  /** What running containers use and the datastore lacked at the start. */
  readonly claims: ClaimReport;
  /** Forgets networks that the datastore does not have: somebody deleted them. */
  forgetNetworks(): void;
  /** Keeps this node's addresses on tunnels, once it is started. */
  readonly tunnels: KeptWork;
  /** Reads the pools again: one may have been made a moment ago. */
  refreshPools(signal: AbortSignal): Promise<void>;
  /** Reads the stored networks again: another host may have made one. */
  refreshNetworks(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Bound of one look at the addresses on tunnels. */
const TUNNELS_MS = 20_000;

/** Settles after everything that this host has in the store was read; nothing is written. */
export async function createPluginCore(
  options: PluginCoreOptions,
  signal: AbortSignal,
): Promise<PluginCore> {
  const { store, host, clock, log } = options;
  const catalog = new Catalog(host.node, log);
  let onCatalog = (): void => undefined;
  const listener: SyncListener = {
    onSnapshot: (all) => {
      catalog.onSnapshot(all);
      onCatalog();
    },
    onChange: (key, entry) => {
      catalog.onChange(key, entry);
      onCatalog();
    },
  };
  const syncer = createSyncer({ store, prefixes: catalog.prefixes, listener, log, clock });
  try {
    await syncer.ready(signal);
    const core = await assemble(options, catalog, syncer, signal);
    onCatalog = () => core.tunnels.mark();
    return core;
  } catch (error) {
    syncer.stop();
    throw error;
  }
}

async function assemble(
  options: PluginCoreOptions,
  catalog: Catalog,
  syncer: Syncer,
  signal: AbortSignal,
): Promise<PluginCore> {
  const { store, host, clock, log, netlink, programmer, names, settings } = options;
  const uses = new PoolUseBook(options.foreignNetworksExist);
  // Each of the two asks the other at run time only.
  const endpointsByAddress: EndpointsByAddress = {
    isBound: (address) => endpoints.isBound(address),
    holding: (address) => endpoints.holding(address),
  };
  const allocator = new Allocator({
    store,
    host,
    catalog,
    gate: options.gate,
    endpoints: endpointsByAddress,
    clock,
    log,
    onUnknownClaim: options.onUnknownClaim,
    rememberRelease: options.rememberRelease,
  });
  const pools = {
    adopt: (data: readonly { readonly pool: string }[]) => uses.adopt(data),
    restore: (poolIds: readonly string[]) => uses.restore(poolIds),
    automaticSubnets: (family: Family) => automaticSubnets(catalog, family),
  };
  const profiles = new ProfileBook({
    enabled: options.createProfiles,
    learn: (profile) => programmer.learnProfile(profile),
  });
  const journal = (name: string): RecordJournal => new RecordJournal(join(options.stateDir, name));
  const ledger = new NetworkLedger({ files: journal('networks.journal'), node: host.node, log });
  const poolAddresses = new PoolAddressLedger(poolAddressFiles(options.stateDir), log);
  const networks = new Networks({
    store,
    node: host.node,
    pools,
    profiles,
    names: options.drivers,
    onCount: options.onNetworkCount,
    ledger,
    log,
  });
  const book = new EndpointBook(endpointFiles(options.runDir));
  const veths = new Veths({
    netlink,
    tombstones: new RecordJournal(join(options.runDir, 'tombstones.journal')),
    log,
  });
  const endpoints = new Endpoints({
    creations: new Creations(),
    store,
    node: host.node,
    hostUuid: host.uuid,
    settings,
    networks,
    book,
    profiles,
    writes: new WriteQueue(store),
    veths,
    netlink,
    programmer,
    names,
    leases: allocator,
    rememberDeletion: options.rememberDeletion,
    pools,
    clock,
    log,
  });
  await allocator.load({ signal });
  const { exchanged } = options;
  if (exchanged) await ledger.writeAgain(store, { signal });
  await networks.load({ signal });
  const { endpoints: restored, report } = await endpoints.load({ signal, exchanged });
  if (exchanged) await allocator.tunnels.takeBack(await tunnelDevices(netlink), { signal });
  const taken = exchanged ? await poolAddresses.claimAgain(allocator, { signal }) : [];
  if (!exchanged) await poolAddresses.complete(allocator, { signal });
  veths.start();
  const tunnels = new KeptWork({
    what: 'an address on a tunnel to other hosts is not as it has to be',
    work: (bound) => allocator.tunnels.reconcile(bound),
    log,
    boundMs: TUNNELS_MS,
  });
  return {
    ipam: {
      allocator,
      uses,
      poolAddresses,
      requestPool: createPoolRequests({ catalog, uses, clock }),
    },
    driver: { networks, endpoints },
    catalog,
    restored,
    book,
    forgetNetworks: () => ledger.dropAllBut(networks.own().map((one) => one.network.networkId)),
    claims: { ...report, conflicts: [...report.conflicts, ...taken] },
    tunnels,
    refreshPools: (bound) => refreshPools(store, catalog, bound),
    refreshNetworks: (bound) => networks.load({ signal: bound }),
    async stop() {
      syncer.stop();
      await tunnels.stop();
      await veths.stop();
    },
  };
}

/** Pools from which networks without a subnet take addresses on this node. */
function automaticSubnets(catalog: Catalog, family: Family): readonly Cidr[] {
  const labels = catalog.node.value?.labels ?? {};
  return catalog.pools
    .map(({ value }) => value)
    .filter(
      (pool) =>
        pool.cidr.family === family &&
        pool.assignmentMode === 'Automatic' &&
        pool.allowedUses.includes('Workload') &&
        parseSelector(pool.nodeSelector).evaluate(labels),
    )
    .map(({ cidr }) => cidr);
}

async function refreshPools(store: Store, catalog: Catalog, signal: AbortSignal): Promise<void> {
  const { entries } = await store.list(catalog.poolPrefix, { signal });
  for (const entry of entries) catalog.onChange(entry.key, entry);
}
