import { isFault, messageOf } from '../../base/index.js';
import {
  BGP_PORT,
  families,
  parseSelector,
  type Address,
  type BgpPeer,
  type Family,
  type Node,
} from '../../model/index.js';
import type { SessionType } from './facts.js';
import { bgpAddress, clusterId } from './own-node.js';
import { passwordFor, sessionName, type Candidate, type Scene } from './sessions.js';

/** Ranks of what BGPPeers ask for; the mesh has 0. */
const EXPLICIT_GLOBAL = 4;
const EXPLICIT_NODE = 3;
const GENERATED_GLOBAL = 2;
const GENERATED_NODE = 1;

/** The other end of a session. */
interface Remote {
  readonly family: Family;
  readonly address: Address;
  readonly port?: number;
  readonly asNumber: number;
  /** Set when it is a node of the cluster. */
  readonly node?: Node;
}

/** Sessions that BGPPeers ask of this host, and those that other hosts' peers ask it for in return. */
export function peerCandidates(scene: Scene): Candidate[] {
  return [...scene.facts.peers].flatMap((peer) => {
    try {
      return candidatesOf(scene, peer);
    } catch (error) {
      if (!isFault(error, 'invalid')) throw error;
      unusable(scene, peer, messageOf(error));
      return [];
    }
  });
}

function candidatesOf(scene: Scene, peer: BgpPeer): Candidate[] {
  const { own } = scene;
  if (peer.localWorkloadSelector !== undefined) {
    unusable(scene, peer, 'sessions with local workloads are not offered');
    return [];
  }
  const holders = holdersOf(scene, peer);
  const remotes = remotesOf(scene, peer);
  if (holders.length === 0) selectsNothing(scene, peer, peer.nodeSelector ?? peer.node ?? '');
  if (remotes.length === 0 && peer.peerSelector !== undefined) {
    selectsNothing(scene, peer, peer.peerSelector);
  }
  const ours = holders.some(({ name }) => name === own.name);
  const wanted = ours ? remotes.flatMap((remote) => toSession(scene, peer, remote, true)) : [];
  const chosen = peer.reversePeering && remotes.some(({ node }) => node?.name === own.name);
  const asked = chosen
    ? holders
        .flatMap((node) => nodeRemotes(scene, node, undefined))
        .flatMap((remote) => toSession(scene, peer, remote, false))
    : [];
  return [...wanted, ...asked];
}

/** The nodes that have the session by the peer's own word. */
function holdersOf({ nodes }: Scene, { node, nodeSelector }: BgpPeer): readonly Node[] {
  if (node !== undefined) return nodes.filter(({ name }) => name === node);
  if (nodeSelector === undefined) return nodes;
  const selector = parseSelector(nodeSelector);
  return nodes.filter(({ labels }) => selector.evaluate(labels));
}

function remotesOf(scene: Scene, peer: BgpPeer): readonly Remote[] {
  const { nodes, configurations, own } = scene;
  if (peer.peerSelector !== undefined) {
    const selector = parseSelector(peer.peerSelector);
    return nodes
      .filter(({ labels }) => selector.evaluate(labels))
      .flatMap((node) => nodeRemotes(scene, node, peer.asNumber));
  }
  if (peer.peer === undefined) {
    unusable(scene, peer, 'it has neither peerIP nor peerSelector');
    return [];
  }
  const { address, port } = peer.peer;
  const { family } = address;
  const node = nodes.find((one) => bgpAddress(one, family)?.equals(address) === true);
  // A node of the cluster listens where its configuration says, unless the peer names a port.
  const known = node === undefined ? undefined : configurations.portOf(node.name);
  const asNumber = peer.asNumber ?? configurations.asNumberOf(node ?? own);
  const where = port ?? (known === BGP_PORT ? undefined : known);
  return [
    {
      ...{ family, address, asNumber },
      ...(where === undefined ? {} : { port: where }),
      ...(node === undefined ? {} : { node }),
    },
  ];
}

/** Both addresses of a node, as far as it has them. */
function nodeRemotes(scene: Scene, node: Node, asNumber: number | undefined): readonly Remote[] {
  const { configurations } = scene;
  return families.flatMap((family) => {
    const address = bgpAddress(node, family);
    if (address === undefined) return [];
    const port = configurations.portOf(node.name);
    return {
      ...{ family, address, port, node },
      asNumber: asNumber ?? configurations.asNumberOf(node),
    };
  });
}

function toSession(scene: Scene, peer: BgpPeer, remote: Remote, explicit: boolean): Candidate[] {
  const { own, configurations } = scene;
  const { family, address, port, asNumber, node } = remote;
  const local = bgpAddress(own, family);
  if (node?.name === own.name || local?.equals(address) === true) return [];
  if (local === undefined) {
    if (explicit && peer.peer !== undefined) {
      unusable(scene, peer, `this node has no IPv${family} address to speak to ${address} from`);
    }
    return [];
  }
  const password = passwordFor(scene, peer.password, peer.name);
  if (password === undefined && peer.password !== undefined) return [];
  const isGlobal = peer.node === undefined && peer.nodeSelector === undefined;
  const type: SessionType = isGlobal ? 'Global' : 'Node';
  const localAs = peer.localAsNumber ?? configurations.asNumberOf(own);
  const { nextHop, filters } = peer;
  return [
    {
      name: sessionName(type, address, port),
      ...{ type, family, address, localAs, nextHop, filters },
      peerAs: asNumber,
      ...(port === undefined ? {} : { port }),
      ...(peer.sourceAddress === 'node' ? { local } : {}),
      passive: false,
      reflectorClient: isReflectorClient(own, node, asNumber === localAs),
      ...(password === undefined ? {} : { password }),
      ...optionsOf(peer),
      rank: explicit
        ? isGlobal
          ? EXPLICIT_GLOBAL
          : EXPLICIT_NODE
        : isGlobal
          ? GENERATED_GLOBAL
          : GENERATED_NODE,
      origin: peer.name,
    },
  ];
}

type PeerOptions = Pick<
  Candidate,
  'maxRestartSeconds' | 'keepaliveSeconds' | 'allowedLocalAsNumbers' | 'ttlSecurity' | 'reachableBy'
>;

function optionsOf(peer: BgpPeer): PeerOptions {
  const { maxRestartSeconds, keepaliveSeconds, allowedLocalAsNumbers } = peer;
  const { ttlSecurity, reachableBy } = peer;
  return {
    ...(maxRestartSeconds === undefined
      ? {}
      : { maxRestartSeconds: Math.min(4095, maxRestartSeconds) }),
    ...(keepaliveSeconds === undefined
      ? {}
      : { keepaliveSeconds: Math.min(21_845, Math.max(1, keepaliveSeconds)) }),
    ...(allowedLocalAsNumbers === undefined
      ? {}
      : { allowedLocalAsNumbers: Math.min(255, allowedLocalAsNumbers) }),
    ...(ttlSecurity === undefined ? {} : { ttlSecurity: Math.min(255, Math.max(1, ttlSecurity)) }),
    ...(reachableBy === undefined ? {} : { reachableBy }),
  };
}

/** A reflector's clients are its iBGP peers, except the other reflectors of its cluster. */
function isReflectorClient(own: Node, peer: Node | undefined, internal: boolean): boolean {
  const id = clusterId(own);
  if (id === undefined || !internal) return false;
  return peer === undefined || clusterId(peer) !== id;
}

function unusable(scene: Scene, peer: BgpPeer, why: string): void {
  scene.note({ reason: 'bgp-peer-unusable', subject: peer.name, details: why });
}

function selectsNothing(scene: Scene, peer: BgpPeer, selector: string): void {
  const details = `no node matches ${selector === '' ? 'it' : selector}`;
  scene.note({ reason: 'bgp-peer-selects-nothing', subject: peer.name, details });
}
