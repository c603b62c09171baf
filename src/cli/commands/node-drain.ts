import { Fault, sleep } from '../../base/index.js';
import {
  nodeHoldKey,
  resourceKey,
  resourcePrefix,
  type CallOptions,
} from '../../datastore/index.js';
import { heldAddresses } from '../../model/index.js';
import {
  decodeNode,
  decodeResource,
  decodeWorkloadEndpoint,
  DRAIN_ANNOTATION,
  isObject,
  stringOf,
  type Resource,
} from '../../model/v3/index.js';
import { listAffinities, releaseAffinities } from '../affinities.js';
import { listBlocks } from '../blocks.js';
import type { Io, StoreOptions } from '../io.js';
import type { Objects } from '../objects.js';
import { readEach } from '../read-each.js';
import { withObjects } from '../session.js';
import { plainTable } from '../tables.js';
import { kindOf } from './bgp-node-mesh.js';
import { ownName } from './node-reflector.js';
import { changeOptions } from './write.js';

export interface DrainOptions extends StoreOptions {
  /** Seconds to wait for its containers to end. */
  readonly wait: string;
  readonly force?: boolean;
  readonly undo?: boolean;
}

const LOOK_EVERY_MS = 500;
/** How long the node's daemon gets to give up its tunnel addresses. */
const GIVE_UP_MS = 20_000;
/** Exit status: containers still run. */
const IN_USE = 2;

/**
 * node drain: from now on the node gives out no addresses; once nothing uses one any more, its blocks and tunnel
 * addresses are released and its BGP sessions end. The mark on the Node is what its daemon goes by, and every claim
 * of an address compares the Node: after the first step none can succeed.
 */
export async function drainCommand(
  io: Io,
  node: string | undefined,
  options: DrainOptions,
): Promise<number> {
  const name = node ?? ownName(io);
  const waitMs = Number(options.wait) * 1000;
  if (!Number.isFinite(waitMs) || waitMs < 0) {
    const message = `--wait is a number of seconds, found "${options.wait}"`;
    throw new Fault('invalid', message, { reason: 'usage' });
  }
  const call: CallOptions = io.signal === undefined ? {} : { signal: io.signal };
  return withObjects(io, options, async (objects) => {
    if (options.undo === true) {
      await mark(io, objects, name, undefined);
      io.out(`Node ${name} is not drained any more\n`);
      return 0;
    }
    if (options.force !== true) await refuseLastReflector(objects, name, call);
    const { resource } = await objects.get({ kind: kindOf('Node'), name }, call);
    if (drainOf(resource) !== 'empty') {
      await mark(io, objects, name, 'started');
      io.out(`Node ${name} gives out no addresses any more\n`);
    }
    const left = await emptied(io, objects, name, { waitMs, call });
    if (left.length > 0) {
      io.err(
        `${left.length} addresses of node ${name} are in use; end these containers and give the command again:\n` +
          plainTable(['ADDRESS', 'CONTAINER', 'ENDPOINT'], left),
      );
      return IN_USE;
    }
    await mark(io, objects, name, 'empty');
    await released(io, objects, name, call);
    return 0;
  });
}

const drainOf = (node: Resource): unknown =>
  isObject(node.metadata.annotations) ? node.metadata.annotations[DRAIN_ANNOTATION] : undefined;

async function mark(
  io: Io,
  objects: Objects,
  name: string,
  drain: 'started' | 'empty' | undefined,
): Promise<void> {
  const id = { kind: kindOf('Node'), name };
  const change = (previous: Resource): Resource => {
    if (drain === 'empty' && drainOf(previous) === undefined) {
      const message = `the drain of node ${name} was undone meanwhile: it gives out addresses again`;
      throw new Fault('conflict', message, { reason: 'drain-undone' });
    }
    const annotations = { ...previous.metadata.annotations };
    delete annotations[DRAIN_ANNOTATION];
    if (drain !== undefined) annotations[DRAIN_ANNOTATION] = drain;
    return { ...previous, metadata: { ...previous.metadata, annotations } };
  };
  await objects.update(id, change, changeOptions(io, objects, id));
}

/** Its clients would lose the routes that they have from it. */
async function refuseLastReflector(
  objects: Objects,
  name: string,
  call: CallOptions,
): Promise<void> {
  const { objects: nodes } = await objects.list(kindOf('Node'), undefined, call);
  const reflects = ({ spec }: Resource): boolean =>
    isObject(spec['bgp']) && stringOf(spec['bgp'], 'routeReflectorClusterID') !== '';
  const own = nodes.find(({ id }) => id.name === name);
  if (own === undefined || !reflects(own.resource)) return;
  const others = nodes.filter(({ id, resource }) => id.name !== name && reflects(resource));
  if (others.some(({ resource }) => drainOf(resource) === undefined)) return;
  throw new Fault(
    'refused',
    `node ${name} is the only route reflector: without it its clients lose their routes; make another one first ("calicoctl node reflector NODE --cluster-id ID"), or give --force`,
    { reason: 'last-reflector' },
  );
}

interface Wait {
  readonly waitMs: number;
  readonly call: CallOptions;
}

/** Waits until the node's addresses are free, or the time is over; what is in use then. */
async function emptied(
  io: Io,
  objects: Objects,
  name: string,
  { waitMs, call }: Wait,
): Promise<readonly string[][]> {
  const end = io.now().getTime() + waitMs;
  for (;;) {
    const rows = await inUse(io, objects, name, call);
    const leftMs = end - io.now().getTime();
    if (rows.length === 0 || leftMs <= 0) return rows;
    await sleep(Math.min(LOOK_EVERY_MS, leftMs), call.signal);
  }
}

/** Addresses of containers on the node, those without an endpoint yet included. */
async function inUse(
  io: Io,
  { store }: Objects,
  name: string,
  call: CallOptions,
): Promise<readonly string[][]> {
  const { entries } = await store.list(resourcePrefix('workloadendpoints'), call);
  const rows = new Map<string, string[]>();
  const named = readEach(io, entries, (value, key) => {
    const { annotations } = decodeResource(value, key).metadata;
    const container = isObject(annotations) ? annotations['calico-libnetwork/container-name'] : '';
    return { ...decodeWorkloadEndpoint(value, key), container: String(container ?? '') };
  });
  for (const { node, addresses, container, endpoint } of named) {
    if (node !== name) continue;
    for (const one of addresses) rows.set(String(one), [String(one), container, endpoint]);
  }
  for (const { block } of await listBlocks(io, store, call)) {
    for (const { address, holder } of heldAddresses(block)) {
      const owner = /^docker\.(.+)\.[0-9a-f]{32}$/.exec(holder.handle ?? '')?.[1];
      if (owner !== name || holder.releasedAt !== undefined || rows.has(String(address))) continue;
      rows.set(String(address), [String(address), '', '']);
    }
  }
  return [...rows.values()];
}

/** Its tunnel addresses by its own daemon, which has to stop using them first; then its blocks. */
async function released(io: Io, objects: Objects, name: string, call: CallOptions): Promise<void> {
  const { store } = objects;
  const end = io.now().getTime() + GIVE_UP_MS;
  const runs = async (): Promise<boolean> =>
    (await store.get(nodeHoldKey(name), call)) !== undefined;
  while ((await hasTunnels(objects, name, call)) && (await runs())) {
    if (io.now().getTime() > end) {
      const message = `the daemon of node ${name} keeps its tunnel addresses: see "calicoctl status" there, and give the command again`;
      throw new Fault('timeout', message, { reason: 'tunnels-kept' });
    }
    await sleep(LOOK_EVERY_MS, call.signal);
  }
  const affinities = await listAffinities(store, name, call);
  await releaseAffinities(store, affinities, io.now().getTime(), call);
  io.out(`Node ${name} is empty: ${affinities.length} blocks are released\n`);
  if (await runs()) {
    io.out('Stop calico-libnetwork there before "calicoctl delete node" removes it\n');
  }
}

async function hasTunnels({ store }: Objects, name: string, call: CallOptions): Promise<boolean> {
  const entry = await store.get(resourceKey('nodes', name), call);
  if (entry === undefined) return false;
  const node = decodeNode(entry.value);
  const { ipv4IpipTunnelAddress, ipv4VxlanTunnelAddress, ipv6VxlanTunnelAddress } = node;
  return [ipv4IpipTunnelAddress, ipv4VxlanTunnelAddress, ipv6VxlanTunnelAddress].some(
    (address) => address !== undefined,
  );
}
