import { Fault, isFault } from '../../base/index.js';
import { readDaemonConfig } from '../../config/index.js';
import { Address } from '../../model/index.js';
import {
  API_VERSION,
  isObject,
  stringOf,
  type JsonObject,
  type Resource,
} from '../../model/v3/index.js';
import { ensureInitialized } from '../initialize.js';
import type { Io, StoreOptions } from '../io.js';
import type { Objects } from '../objects.js';
import { withObjects } from '../session.js';
import { kindOf, nodeMeshIsOn } from './bgp-node-mesh.js';
import { changeOptions } from './write.js';

/** Carried by reflectors; the value is the cluster ID. */
const LABEL = 'route-reflector';
const AMONG_THEMSELVES = 'route-reflectors';

export interface ReflectorOptions extends StoreOptions {
  readonly clusterId?: string;
  /** Which nodes are its clients: a selector. */
  readonly clients?: string;
  readonly remove?: boolean;
}

/**
 * node reflector: makes a node a route reflector, with everything that belongs to it: cluster ID and label
 * of the Node, sessions of the reflectors among themselves, and sessions of their clients with them.
 */
export async function reflectorCommand(
  io: Io,
  node: string | undefined,
  options: ReflectorOptions,
): Promise<number> {
  const name = node ?? ownName(io);
  return withObjects(io, options, async (objects) => {
    if (options.remove === true) return removeReflector(io, objects, name);
    const id = options.clusterId ?? '';
    if (Address.tryParse(id)?.family !== 4) {
      const message = `--cluster-id must have the form of an IPv4 address, such as 1.0.0.1, found "${id}"`;
      throw new Fault('invalid', message, { reason: 'usage' });
    }
    await ensureInitialized(io, objects.store, {});
    await changeNode(io, objects, name, id);
    io.out(`Node ${name} is a route reflector with cluster ID ${id}\n`);
    const clients = options.clients === undefined ? '' : ` && (${options.clients})`;
    await ensurePeer(io, objects, AMONG_THEMSELVES, {
      nodeSelector: `has(${LABEL})`,
      peerSelector: `has(${LABEL})`,
    });
    await ensurePeer(io, objects, clientsPeer(id), {
      nodeSelector: `!has(${LABEL})${clients}`,
      peerSelector: `${LABEL} == '${id}'`,
    });
    if (await nodeMeshIsOn(objects)) {
      io.out('The node-to-node mesh is still on; end it with: calicoctl bgp node-mesh off\n');
    }
    return 0;
  });
}

export function ownName(io: Io): string {
  const { config } = readDaemonConfig({ ...io.inputs, argv: [] });
  if (config !== undefined) return config.nodeName.name;
  throw new Fault('invalid', 'the name of this node is not known: name the node', {
    reason: 'usage',
  });
}

const clientsPeer = (clusterId: string): string =>
  `route-reflector-clients-${clusterId.replaceAll('.', '-')}`;

async function changeNode(
  io: Io,
  objects: Objects,
  name: string,
  clusterId: string | undefined,
): Promise<void> {
  const id = { kind: kindOf('Node'), name };
  const change = (previous: Resource): Resource => {
    const labels = { ...previous.metadata.labels };
    const bgp: JsonObject = isObject(previous.spec['bgp']) ? { ...previous.spec['bgp'] } : {};
    delete labels[LABEL];
    delete bgp['routeReflectorClusterID'];
    if (clusterId !== undefined) {
      labels[LABEL] = clusterId;
      bgp['routeReflectorClusterID'] = clusterId;
    }
    return {
      ...previous,
      metadata: { ...previous.metadata, labels },
      spec: { ...previous.spec, bgp },
    };
  };
  await objects.update(id, change, changeOptions(io, objects, id));
}

/** A peer of this name may have been changed by hand; then it stays, and is named. */
async function ensurePeer(io: Io, objects: Objects, name: string, spec: JsonObject): Promise<void> {
  const id = { kind: kindOf('BGPPeer'), name };
  const peer: Resource = {
    kind: 'BGPPeer',
    apiVersion: API_VERSION,
    metadata: { name },
    spec,
  };
  try {
    await objects.create(id, peer, changeOptions(io, objects, id));
    io.out(
      `BGPPeer ${name}: ${stringOf(spec, 'nodeSelector')} with ${stringOf(spec, 'peerSelector')}\n`,
    );
  } catch (error) {
    if (!isFault(error, 'exists')) throw error;
    const { resource } = await objects.get(id);
    const same = Object.entries(spec).every(([member, value]) => resource.spec[member] === value);
    const found = `${stringOf(resource.spec, 'nodeSelector')} with ${stringOf(resource.spec, 'peerSelector')}`;
    if (!same) io.err(`note: BGPPeer ${name} exists and stays as it is: ${found}\n`);
  }
}

async function removeReflector(io: Io, objects: Objects, name: string): Promise<number> {
  await changeNode(io, objects, name, undefined);
  io.out(`Node ${name} is no route reflector any more\n`);
  const { objects: nodes } = await objects.list(kindOf('Node'));
  const left = new Set(nodes.flatMap(({ resource }) => resource.metadata.labels?.[LABEL] ?? []));
  const { objects: peers } = await objects.list(kindOf('BGPPeer'));
  for (const { id } of peers) {
    const own = id.name === AMONG_THEMSELVES || id.name.startsWith('route-reflector-clients-');
    const needed =
      id.name === AMONG_THEMSELVES
        ? left.size > 0
        : [...left].some((clusterId) => clientsPeer(clusterId) === id.name);
    if (!own || needed) continue;
    await objects.remove(id);
    io.out(`BGPPeer ${id.name} deleted\n`);
  }
  return 0;
}
