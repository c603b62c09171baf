import { statfsSync } from 'node:fs';
import { Fault } from './base/index.js';
import { hostRecordKey, type Store } from './datastore/index.js';
import { HOST_ANNOTATION } from './driver/index.js';
import { peerInterfaceName } from './model/index.js';
import { decodeResource } from './model/v3/index.js';
import type { DockerInventory } from './docker/index.js';
import { ROUTE_PROTOCOL, type Netlink } from './netlink/index.js';
import { decodeHostRecord, type NodeHold } from './node/index.js';
import type { PluginCore } from './plugin-core.js';
import type { Candidate, Freed, KernelEvidence, ReconcilePorts } from './reconcile/index.js';

/** nsfs: a mounted network namespace, as opposed to the plain file that is left when it was unmounted. */
const NSFS_MAGIC = 0x6e736673;

export interface ReconcilePartners {
  readonly plugin: PluginCore;
  readonly netlink: Netlink;
  readonly inventory: DockerInventory;
  readonly hold: NodeHold;
  readonly store: Store;
  readonly node: string;
  readonly hostUuid: string;
}

/** Wiring: what the reconciler asks of allocator, driver, kernel and Docker. */
export function reconcilePorts(partners: ReconcilePartners): ReconcilePorts {
  const { inventory, hold, store, node } = partners;
  return {
    candidates: (signal) => candidates(partners, signal),
    look: (signal) => inventory.look(signal),
    kernel: (found) => kernelEvidence(partners, found),
    recordedEngineId: async (signal) => {
      const entry = await store.get(hostRecordKey(node), { signal });
      return entry === undefined ? undefined : decodeHostRecord(entry.value)?.engine?.id;
    },
    holdsNodeName: () => hold.mayAllocate().ok,
    free: (candidate, signal) => free(partners, candidate, signal),
  };
}

async function candidates(
  { plugin, node, hostUuid }: ReconcilePartners,
  signal: AbortSignal,
): Promise<readonly Candidate[]> {
  const byHandle = new Map<string, Candidate>();
  for (const own of await plugin.ipam.allocator.ownAddresses({ signal })) {
    const known = byHandle.get(own.handle);
    const endpoint = plugin.book.holding(own.address);
    byHandle.set(own.handle, {
      id: known?.id ?? own.address.toString(),
      handle: own.handle,
      node,
      revision: own.handleRevision,
      addresses: [...(known?.addresses ?? []), own.address],
      kept: false,
      ...(own.claimedAt === undefined ? {} : { claimedAt: own.claimedAt }),
      ...(endpoint === undefined
        ? {}
        : { endpointId: endpoint.id, interfaceName: endpoint.endpoint.interfaceName }),
      hostUuid: own.hostUuid,
    });
  }
  const withAddress = new Set([...byHandle.values()].flatMap(({ endpointId }) => endpointId ?? []));
  const alone = plugin.book
    .all()
    .filter(({ id }) => !withAddress.has(id))
    .map(({ id, revision, endpoint, text }): Candidate => ({
      id,
      node,
      revision,
      hostUuid: decodeResource(text).metadata.annotations?.[HOST_ANNOTATION] ?? '',
      addresses: endpoint.addresses,
      endpointId: id,
      interfaceName: endpoint.interfaceName,
      kept: false,
    }));
  return [
    ...byHandle.values(),
    ...alone,
    ...networkCandidates(plugin, node, hostUuid),
    ...(await poolCandidates(plugin, node, hostUuid, signal)),
  ];
}

/**
 * Gateway and auxiliary addresses of pool requests that no stored network took. Docker lists those of its networks, so
 * one whose record is gone keeps them. A record that cannot be read may be of any network: then there is none.
 */
async function poolCandidates(
  plugin: PluginCore,
  node: string,
  hostUuid: string,
  signal: AbortSignal,
): Promise<Candidate[]> {
  const inUse = await plugin.driver.networks.poolIds({ signal });
  if (inUse === undefined) return [];
  const found = await plugin.ipam.allocator.poolAddresses(inUse, { signal });
  return found.map(({ poolId, handle, handleRevision, addresses, claimedAt }) => ({
    id: `pool request ${poolId}`,
    ...{ node, hostUuid, poolId, handle, addresses },
    revision: handleRevision,
    ...(claimedAt === undefined ? {} : { claimedAt }),
    kept: false,
  }));
}

/** A network's record names the node alone; whoever holds the node's name answers for it. */
function networkCandidates(plugin: PluginCore, node: string, hostUuid: string): Candidate[] {
  return plugin.driver.networks.own().map(({ network: { networkId }, revision }) => ({
    id: `network ${networkId.slice(0, 12)}`,
    ...{ node, hostUuid, revision, networkId },
    addresses: [],
    kept: false,
  }));
}

async function kernelEvidence(
  { plugin, netlink }: ReconcilePartners,
  found: readonly Candidate[],
): Promise<KernelEvidence> {
  const [links, routes4, routes6] = await Promise.all([
    netlink.links(),
    netlink.routes(4),
    netlink.routes(6),
  ]);
  const idle = endsWithoutContainer(found, links);
  const idleIndexes = new Set(links.filter(({ name }) => idle.has(name)).map(({ index }) => index));
  const routed = [...routes4, ...routes6].filter(
    ({ protocol, interfaceIndex, destination }) =>
      protocol === ROUTE_PROTOCOL &&
      interfaceIndex !== undefined &&
      !idleIndexes.has(interfaceIndex) &&
      destination.isHost,
  );
  const alive = found.flatMap(({ endpointId }) => {
    const record = endpointId === undefined ? undefined : plugin.book.get(endpointId);
    return record !== undefined && isNamespace(record.sandboxKey) ? [record.id] : [];
  });
  return {
    interfaceNames: new Set(links.map(({ name }) => name).filter((name) => !idle.has(name))),
    routedAddresses: new Set(routed.map(({ destination }) => destination.base.toString())),
    liveNamespaces: new Set(alive),
  };
}

/**
 * Host ends whose other end is on the host too: no container uses them. Docker moves it back when it ends a sandbox,
 * also while the driver is away; such a pair would stay for ever, and with it everything that it is a sign of.
 */
function endsWithoutContainer(
  found: readonly Candidate[],
  links: readonly { readonly name: string }[],
): ReadonlySet<string> {
  const names = new Set(links.map(({ name }) => name));
  return new Set(
    found.flatMap(({ endpointId, interfaceName }) =>
      endpointId !== undefined &&
      interfaceName !== undefined &&
      names.has(peerInterfaceName(endpointId))
        ? [interfaceName]
        : [],
    ),
  );
}

function isNamespace(path: string): boolean {
  if (path === '') return false;
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new Fault('unavailable', `cannot look at ${path}`, { cause: error });
  }
}

async function free(
  { plugin }: ReconcilePartners,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<Freed> {
  const { allocator } = plugin.ipam;
  const { endpoints } = plugin.driver;
  const { handle, endpointId, networkId, poolId } = candidate;
  if (networkId !== undefined) {
    const known = plugin.driver.networks
      .own()
      .find(({ network }) => network.networkId === networkId);
    if (known?.revision !== candidate.revision) return 'changed';
    await plugin.driver.networks.delete(networkId, { signal });
    return 'freed';
  }
  if (handle === undefined) {
    if (endpointId === undefined || plugin.book.get(endpointId)?.revision !== candidate.revision)
      return 'changed';
    await endpoints.delete(endpointId, signal);
    return 'freed';
  }
  const [first, ...rest] = candidate.addresses;
  if (first === undefined) return 'absent';
  // The first release compares the revision that was judged, and gives the handle a new one.
  const outcome = await allocator.release(first, poolId, {
    signal,
    onlyHandle: handle,
    onlyRevision: candidate.revision,
  });
  if (outcome !== 'released') return outcome === 'already-free' ? 'absent' : 'changed';
  for (const address of rest)
    await allocator.release(address, poolId, { signal, onlyHandle: handle });
  return 'freed';
}
