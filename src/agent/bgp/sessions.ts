import { BGP_PORT, families, type Address, type Family, type Node } from '../../model/index.js';
import type { BgpFacts, BgpNote, Session, SessionType } from './facts.js';
import { bgpAddress, BgpConfigurations, clusterId } from './own-node.js';
import { peerCandidates } from './peer-sessions.js';

/** A session that somebody wants; of several with one neighbour the strongest is had. */
export interface Candidate extends Session {
  /** Greater wins (node-agent §2.5): explicit before generated, global before node, mesh last. */
  readonly rank: number;
  /** Which object it follows from; decides among equals. */
  readonly origin: string;
}

export interface Sessions {
  readonly sessions: readonly Session[];
  readonly notes: readonly BgpNote[];
  /** Nodes of the mesh, this one included; 0 when this host is not in it. */
  readonly meshSize: number;
}

/** Everything that expanding peers needs to know about this host and the others. */
export interface Scene {
  readonly facts: BgpFacts;
  readonly own: Node;
  readonly configurations: BgpConfigurations;
  /** By name. */
  readonly nodes: readonly Node[];
  readonly note: (note: BgpNote) => void;
}

/** The sessions of this host, by name; pure. */
export function decideSessions(facts: BgpFacts, own: Node): Sessions {
  const notes: BgpNote[] = [];
  const scene: Scene = {
    facts,
    own,
    configurations: new BgpConfigurations(facts.configurations),
    nodes: [...facts.nodes].sort((a, b) => (a.name < b.name ? -1 : 1)),
    note: (note) => void notes.push(note),
  };
  const inMesh = scene.configurations.mesh && clusterId(own) === undefined;
  const members = inMesh ? scene.nodes.filter((node) => isMeshMember(node)) : [];
  const mesh = members.flatMap((node) => (node.name === own.name ? [] : meshSessions(scene, node)));
  const sessions = strongest([...mesh, ...peerCandidates(scene)], scene);
  warnOfClusterIds(scene, sessions);
  return { sessions, notes: sorted(notes), meshSize: members.length };
}

function isMeshMember(node: Node): boolean {
  const addressed = families.some((family) => bgpAddress(node, family) !== undefined);
  return addressed && clusterId(node) === undefined;
}

function meshSessions(scene: Scene, peer: Node): Candidate[] {
  const { own, configurations, facts } = scene;
  const settings = configurations.default;
  const reference = settings?.meshPassword;
  const password = passwordFor(scene, reference, 'the node-to-node mesh');
  if (password === undefined && reference !== undefined) return [];
  return families.flatMap((family) => {
    const [local, address] = [bgpAddress(own, family), bgpAddress(peer, family)];
    if (local === undefined || address === undefined) return [];
    if (local.equals(address)) {
      noteShared(scene, address, family);
      return [];
    }
    const port = configurations.portOf(peer.name);
    return {
      name: sessionName('Mesh', address),
      type: 'Mesh' as const,
      ...{ family, address, port, local },
      peerAs: configurations.asNumberOf(peer),
      localAs: configurations.asNumberOf(own),
      passive: dialsUs(address, local),
      reflectorClient: false,
      nextHop: 'auto' as const,
      filters: [],
      ...(password === undefined ? {} : { password }),
      ...(settings?.meshMaxRestartSeconds === undefined
        ? {}
        : { maxRestartSeconds: settings.meshMaxRestartSeconds }),
      rank: 0,
      origin: `${facts.nodeName}/${peer.name}`,
    };
  });
}

/** Of two nodes that know of each other one dials: compared as text, as Calico's own nodes do. */
export function dialsUs(peer: Address, own: Address): boolean {
  return peer.toString() > own.toString();
}

/** What status and the tools of the field read: dots and colons become underlines. */
export function sessionName(type: SessionType, address: Address, port?: number): string {
  const name = `${type}_${address.toString().replaceAll(/[.:]/g, '_')}`;
  return port === undefined ? name : `${name}_port_${port}`;
}

/** The password of a reference; undefined, and said, when there is none to be found. */
export function passwordFor(
  scene: Scene,
  reference: { readonly name: string; readonly key: string } | undefined,
  subject: string,
): string | undefined {
  if (reference === undefined) return undefined;
  const id = `${reference.name}/${reference.key}`;
  const password = scene.facts.passwords.get(id);
  if (password !== undefined) return password;
  const details = `the password file has no usable ${id}; the sessions are left out, for without it they would stay closed anyway`;
  scene.note({ reason: 'bgp-password-missing', subject, details });
  return undefined;
}

/** One session for each neighbour: two with the same address would take each other's connections. */
function strongest(candidates: readonly Candidate[], scene: Scene): Session[] {
  const ordered = [...candidates].sort(
    (a, b) => b.rank - a.rank || compareText(a.origin, b.origin) || compareText(a.name, b.name),
  );
  const taken = new Map<string, Candidate>();
  for (const one of ordered) {
    const id = `${one.address} ${one.port ?? BGP_PORT}`;
    const before = taken.get(id);
    if (before === undefined) taken.set(id, one);
    else if (one.rank === 0 && before.rank === 0) noteShared(scene, one.address, one.family);
  }
  return [...taken.values()]
    .sort((a, b) => compareText(a.name, b.name))
    .map(({ rank: _rank, origin: _origin, ...session }) => session);
}

function noteShared(scene: Scene, address: Address, family: Family): void {
  const names = scene.nodes
    .filter((node) => bgpAddress(node, family)?.equals(address) === true)
    .map(({ name }) => name);
  const details = `nodes ${names.join(' and ')} both have it; there is one session with it, for the first`;
  scene.note({ reason: 'bgp-address-shared', subject: address.toString(), details });
}

/** Reflectors of one set of clients share a cluster ID, or routes go round between them. */
function warnOfClusterIds(scene: Scene, sessions: readonly Session[]): void {
  if (clusterId(scene.own) !== undefined) return;
  const peers = new Set(sessions.map(({ address }) => address.toString()));
  const ids = new Map<string, string[]>();
  for (const node of scene.nodes) {
    const id = clusterId(node);
    if (id === undefined) continue;
    if (!families.some((family) => peers.has(String(bgpAddress(node, family))))) continue;
    ids.set(id, [...(ids.get(id) ?? []), node.name]);
  }
  if (ids.size < 2) return;
  const listed = [...ids].map(([id, names]) => `${id}: ${names.join(', ')}`).sort(compareText);
  const details = `the reflectors of this node have different cluster IDs (${listed.join('; ')}); give reflectors of the same clients one cluster ID`;
  scene.note({ reason: 'bgp-cluster-ids-differ', subject: scene.own.name, details });
}

function sorted(notes: readonly BgpNote[]): BgpNote[] {
  const key = ({ reason, subject, details }: BgpNote): string => `${reason} ${subject} ${details}`;
  const unique = new Map(notes.map((note) => [key(note), note]));
  return [...unique].sort(([a], [b]) => compareText(a, b)).map(([, note]) => note);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
