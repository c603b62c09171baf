import { Fault, isFault, sleep } from '../base/index.js';
import {
  commitOrConflict,
  hostCountKey,
  hostRecordKey,
  nodeHoldKey,
  resourceKey,
  resourcePrefix,
  retryOnConflict,
  type CallOptions,
  type Entry,
  type Store,
} from '../datastore/index.js';
import { Address, usedOf } from '../model/index.js';
import {
  decodeIpPool,
  decodeNode,
  decodeResource,
  decodeWorkloadEndpoint,
  encodeResource,
} from '../model/v3/index.js';
import { releaseAddress } from './addresses.js';
import { listAffinities, releaseAffinities } from './affinities.js';
import { listBlocks } from './blocks.js';
import { keyOf } from './find-object.js';
import type { Io } from './io.js';
import type { ObjectId } from './object-name.js';
import { checkRevision, notFound, type Objects } from './objects.js';
import { refuseTierInUse } from './policy-checks.js';

const ATTEMPTS = 5;

export interface RemovalOptions extends CallOptions {
  readonly resourceVersion?: string;
}

/** Deletes an object with everything that Calico's clients delete along with its kind. */
export async function removeObject(
  io: Io,
  objects: Objects,
  id: ObjectId,
  options: RemovalOptions,
): Promise<void> {
  if (id.kind.kind === 'Node') {
    const left = await retryOnConflict(ATTEMPTS, async () => strikeNode(io, objects, id, options));
    if (left === 'record-only') return;
  }
  if (id.kind.kind === 'Tier') await refuseTierInUse(objects.store, id.name, options);
  if (id.kind.kind !== 'IPPool') return objects.remove(id, options);
  const revision = await emptyPool(io, objects, id, options);
  return objects.remove(id, { ...options, resourceVersion: revision.toString() });
}

/**
 * What comes before a pool goes (datamodel §3.2): it is disabled, so that nobody claims a block in it
 * meanwhile, and the hosts' blocks are released. Addresses in use stay in blocks without an owner.
 */
async function emptyPool(
  io: Io,
  objects: Objects,
  id: ObjectId,
  options: RemovalOptions,
): Promise<bigint> {
  const { store } = objects;
  const entry = await store.get(keyOf(id), options);
  if (entry === undefined) throw notFound(id);
  checkRevision(id, entry.revision, options.resourceVersion);
  let cidr;
  try {
    cidr = decodeIpPool(entry.value, entry.key).cidr;
  } catch (error) {
    if (!isFault(error, 'corrupt')) throw error;
    return entry.revision; // Nothing can be known of its blocks; the entry itself can go.
  }
  const revision = await disablePool(store, entry, options);
  const affinities = await listAffinities(store, undefined, options);
  const inside = affinities.filter(({ block }) => cidr.containsCidr(block));
  if (inside.length > 0) await sleep(io.poolGraceMs, options.signal);
  await releaseAffinities(store, inside, io.now().getTime(), options);
  const left = (await listBlocks(io, store, options)).filter(({ block }) =>
    cidr.containsCidr(block.cidr),
  );
  const used = left.reduce((sum, { block }) => sum + usedOf(block), 0);
  if (used > 0) {
    io.err(
      `note: ${used} addresses of ${cidr} are still in use; they are freed when their containers stop\n`,
    );
  }
  return revision;
}

/** Sets `disabled` and leaves everything else as it stands; the pool's revision afterwards. */
async function disablePool(store: Store, entry: Entry, options: CallOptions): Promise<bigint> {
  const pool = decodeResource(entry.value, entry.key);
  if (pool.spec['disabled'] === true) return entry.revision;
  const value = encodeResource({ ...pool, spec: { ...pool.spec, disabled: true } });
  return commitOrConflict(
    store,
    {
      compares: [{ key: entry.key, revision: entry.revision }],
      writes: [{ key: entry.key, value }],
    },
    `IPPool(${pool.metadata.name})`,
    options,
  );
}

/**
 * What goes with a node (datamodel §1.9): its endpoints and their addresses, its tunnel addresses,
 * its blocks, the objects that configure only it, and what other hosts remember of it. Refused while a daemon of ours
 * holds the name. After an exchange of the datastore that memory may be all that there is.
 */
async function strikeNode(
  io: Io,
  objects: Objects,
  id: ObjectId,
  options: RemovalOptions,
): Promise<'node' | 'record-only'> {
  const { store } = objects;
  const entry = await store.get(keyOf(id), options);
  const record = await store.get(hostRecordKey(id.name), options);
  const count = await store.get(hostCountKey(id.name), options);
  if (entry === undefined && record === undefined) throw notFound(id);
  if (entry !== undefined) checkRevision(id, entry.revision, options.resourceVersion);
  if ((await store.get(nodeHoldKey(id.name), options)) !== undefined) {
    const message = `the daemon of node ${id.name} is running and its containers use the addresses: stop calico-libnetwork there first`;
    throw new Fault('refused', message, { reason: 'node-in-use' });
  }
  const nowMs = io.now().getTime();
  const own = { ...options, node: id.name };
  for (const { entry: endpoint, addresses } of await endpointsOf(store, id.name, options)) {
    for (const address of addresses) await releaseAddress(store, address, nowMs, own);
    await removeEntry(store, endpoint, options);
  }
  for (const address of tunnelAddresses(entry?.value ?? '')) {
    await releaseAddress(store, address, nowMs, own);
  }
  const affinities = await listAffinities(store, id.name, options);
  await releaseAffinities(store, affinities, nowMs, options);
  for (const configuration of await configurationOf(store, id.name, options)) {
    await removeEntry(store, configuration, options);
  }
  for (const memory of [count, record]) {
    if (memory !== undefined) await removeEntry(store, memory, options);
  }
  return entry === undefined ? 'record-only' : 'node';
}

async function endpointsOf(
  store: Store,
  node: string,
  options: CallOptions,
): Promise<{ readonly entry: Entry; readonly addresses: readonly Address[] }[]> {
  const { entries } = await store.list(resourcePrefix('workloadendpoints'), options);
  return entries.flatMap((entry) => {
    try {
      const endpoint = decodeWorkloadEndpoint(entry.value, entry.key);
      return endpoint.node === node ? [{ entry, addresses: endpoint.addresses }] : [];
    } catch (error) {
      if (!isFault(error, 'corrupt')) throw error;
      return []; // Whose it is cannot be known.
    }
  });
}

function tunnelAddresses(text: string): Address[] {
  try {
    const node = decodeNode(text);
    return [node.ipv4IpipTunnelAddress, node.ipv4VxlanTunnelAddress, node.ipv6VxlanTunnelAddress]
      .map((each) => (each === undefined ? undefined : Address.tryParse(each)))
      .filter((address) => address !== undefined);
  } catch (error) {
    if (!isFault(error, 'corrupt')) throw error;
    return [];
  }
}

/** Objects that are about this node alone. */
async function configurationOf(store: Store, node: string, options: CallOptions): Promise<Entry[]> {
  const named = ['felixconfigurations', 'bgpconfigurations'].map((plural) =>
    resourceKey(plural, `node.${node}`),
  );
  const present = await store.getMany(named, options);
  const found = [...present.values()].filter((entry) => entry !== undefined);
  for (const plural of ['bgppeers', 'hostendpoints']) {
    const { entries } = await store.list(resourcePrefix(plural), options);
    found.push(...entries.filter(({ value }) => specNode(value) === node));
  }
  return found;
}

function specNode(value: string): unknown {
  try {
    return decodeResource(value).spec['node'];
  } catch (error) {
    if (!isFault(error, 'corrupt')) throw error;
    return undefined;
  }
}

async function removeEntry(store: Store, entry: Entry, options: CallOptions): Promise<void> {
  const { key, revision } = entry;
  const transaction = { compares: [{ key, revision }], writes: [{ key, value: null }] };
  await commitOrConflict(store, transaction, key, options);
}
