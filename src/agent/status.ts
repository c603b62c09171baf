import { publishedAt } from '../model/index.js';
import type { BgpReason, BgpStatus } from './bgp/index.js';
import type { PartStatus } from './loop.js';
import type { Progress } from './loop-parts.js';
import type { FirewalldState, ForwardState, InputState } from './nat/index.js';
import type { PolicyCounts } from './policy/index.js';
import type {
  HostSettings,
  RemoteRouteStatus,
  RouteObstacle,
  RouteStatus,
} from './routes/index.js';
import type { TableStatus } from './table-writer.js';
import type { TunnelReason, TunnelStatus } from './tunnels/index.js';
import { countsOf } from './table-text.js';
import type { Wiring } from './wiring.js';

/** Why something is not as it was asked for; the same words in log, metrics and CLI. */
export type DecisionReason =
  /** A stored object could not be read and counts as absent. */
  | 'object-unreadable'
  /** A profile, or a part of it, admits nothing: missing, or a rule asks for what is not offered. */
  | 'profile-fails-closed'
  /** A policy asks for what is not offered: it denies everything that it selects. */
  | 'policy-fails-closed'
  /** Whom a policy selects cannot be known: it counts as absent. */
  | 'policy-ignored'
  /** A policy is in a tier that does not exist: the tier is asked last, and denies. */
  | 'tier-missing'
  /** A host endpoint of this host is of no effect: no interface is its, or another one has it. */
  | 'host-endpoint-unused'
  /** An endpoint's interface is down or gone. */
  | 'interface-down'
  /** An endpoint of this host that only the store knew, and whose interface is there, is served. */
  | 'endpoint-adopted'
  /** A setting of the host that an operator should look at. */
  | 'host-setting'
  /** Felix had not set an endpoint's routes when its container started. */
  | 'felix-late'
  /** Something beside us or missing beside us that an operator should know of. */
  | 'felix'
  /** The host's own firewall cannot be told to let tunnels and containers pass. */
  | 'firewall-closed'
  /** Two Nodes have one address: one of them is not reached. */
  | 'address-of-two-nodes'
  /** A pool contains addresses of hosts. */
  | 'pool-covers-hosts'
  /** A tunnel to other hosts does not work, or not wholly. */
  | TunnelReason
  /** A block or address of another host cannot be reached by a route of ours. */
  | RouteObstacle
  | BgpReason;

export interface Decision {
  readonly reason: DecisionReason;
  /** What it is about: a key, a profile, an endpoint. */
  readonly subject: string;
  readonly details: string;
}

export interface PublishedStatus {
  readonly port: string;
  readonly leadsTo: string;
  readonly endpoint: string;
}

/** The agent's state, ready for JSON. */
export interface AgentStatus {
  /** `external`: all of it is left to the Felix of this host. */
  readonly dataplane: 'internal' | 'external';
  /**
   * `starting`: the kernel is not yet taken over; `waiting-for-store`: no snapshot yet, what runs goes
   * on; `applying`: something is dirty; `in-sync`; `failing`: a part cannot be brought to what is wanted.
   */
  readonly state: 'starting' | 'waiting-for-store' | 'applying' | 'in-sync' | 'failing' | 'stopped';
  /** Milliseconds since the epoch of the newest apply of any part that ended well. */
  readonly lastApplied: number;
  readonly parts: Readonly<Record<string, PartStatus>>;
  readonly table: TableStatus & {
    readonly name: string;
    readonly chains: number;
    readonly sets: number;
    readonly elements: number;
  };
  readonly policy: PolicyCounts & {
    /** Connections that were ended because policy forbids them by now. */
    readonly connectionsEnded: number;
  };
  readonly routes: RouteStatus;
  /** Ports of this host, as `0.0.0.0:8080/tcp`, and where they lead; Docker shows none of them. */
  readonly published: readonly PublishedStatus[];
  /** Routes to other hosts. */
  readonly remote: RemoteRouteStatus;
  readonly tunnels: readonly TunnelStatus[];
  readonly host?: HostSettings;
  /** iptables and ip6tables. */
  readonly forward: Readonly<Partial<Record<4 | 6, ForwardState>>>;
  /** The host's own firewall towards tunnels, where there are tunnels. */
  readonly input: Readonly<Partial<Record<4 | 6, InputState>>>;
  readonly firewalld: FirewalldState;
  readonly bgp: BgpStatus;
  readonly decisions: readonly Decision[];
}

/** More routes with a problem than this are one problem, seen often enough. */
const MOST_ROUTES = 50;
/** Named of those whose addresses a pool contains. */
const MOST_HOSTS = 5;

/** `phase` is what only the agent itself knows. */
export function describeAgent(
  wiring: Wiring,
  loops: Readonly<Record<string, PartStatus>>,
  progress: Progress,
  phase: 'new' | 'started' | 'stopped',
): AgentStatus {
  const { table, writer, policy, routes, forward } = wiring;
  const parts = { ...loops, ...wiring.bgp?.parts };
  return {
    dataplane: 'internal',
    state: stateOf(Object.values(parts), writer.busy, progress, phase),
    lastApplied: Math.max(...Object.values(parts).map((part) => part.lastApplied)),
    parts,
    table: { name: table.name, ...writer.status, ...countsOf(table) },
    policy: { ...policy.counts, connectionsEnded: wiring.cutter.count },
    routes: routes.status,
    published: wiring.published.all().map((one) => ({
      port: publishedAt(one),
      leadsTo: one.address.includes(':')
        ? `[${one.address}]:${one.port}`
        : `${one.address}:${one.port}`,
      endpoint: one.endpoint.slice(0, 12),
    })),
    remote: wiring.remoteRoutes.status,
    tunnels: wiring.tunnels.status,
    ...(progress.host === undefined ? {} : { host: progress.host }),
    forward: forward.states,
    input: forward.inputs,
    firewalld: forward.firewalld,
    bgp: wiring.bgp?.status ?? { state: 'off', reason: 'not configured', sessions: [] },
    decisions: decisions(wiring, progress),
  };
}

function stateOf(
  parts: readonly PartStatus[],
  writing: boolean,
  progress: Progress,
  phase: 'new' | 'started' | 'stopped',
): AgentStatus['state'] {
  if (phase === 'stopped') return 'stopped';
  if (parts.some((part) => part.state === 'failed')) return 'failing';
  if (phase === 'new') return 'starting';
  if (!progress.complete) return 'waiting-for-store';
  return writing || parts.some(({ state }) => state === 'dirty' || state === 'applying')
    ? 'applying'
    : 'in-sync';
}

function decisions(wiring: Wiring, progress: Progress): Decision[] {
  const found: Decision[] = [];
  const add = (reason: DecisionReason, subject: string, details: string): void => {
    found.push({ reason, subject, details });
  };
  for (const [key, why] of Object.entries(wiring.view.unreadable))
    add('object-unreadable', key, why);
  for (const { kind, name, problems } of wiring.policy.closed()) {
    add(`${kind}-fails-closed`, name, problems.join('; '));
  }
  for (const [policy, why] of wiring.policy.unusable) add('policy-ignored', policy, why);
  for (const [tier, policies] of wiring.policy.missingTiers()) {
    add('tier-missing', tier, `named by ${policies.join(', ')}`);
  }
  for (const id of wiring.policy.hostEndpoints.unused) {
    add('host-endpoint-unused', id, 'it has no interface here, or another one has the interface');
  }
  for (const id of wiring.routes.status.down)
    add('interface-down', id, 'its interface is down or gone');
  for (const id of progress.adopted) add('endpoint-adopted', id, 'only the store knew it');
  for (const { address, nodes } of wiring.remote.conflicts) {
    const words = `the Nodes ${nodes.join(', ')} have it: delete the one that is gone (calicoctl delete node NAME), or give each host its own`;
    add('address-of-two-nodes', address, words);
  }
  for (const { pool, hosts } of wiring.remote.coveringPools) {
    const shown = hosts.slice(0, MOST_HOSTS).join(', ') + (hosts.length > MOST_HOSTS ? ', …' : '');
    const words = `${pool.cidr} contains the hosts' own ${shown}: their blocks get no routes, and they give out none of its addresses; make a pool of a network that no host is in, and delete this one`;
    add('pool-covers-hosts', pool.name, words);
  }
  for (const { device, reason, words } of wiring.tunnels.problems) add(reason, device, words);
  // With BGP it is BIRD that leads to hosts of other segments.
  const bgp = wiring.bgp?.status.state === 'running';
  const missing = wiring.remoteRoutes.problems.filter(
    ({ reason }) => !(bgp && reason === 'other-subnet'),
  );
  for (const { destination, reason, words } of missing.slice(0, MOST_ROUTES)) {
    add(reason, destination, words);
  }
  if (wiring.forward.firewalld === 'closed') {
    const words =
      'firewalld keeps its rules to itself (NftablesTableOwner): allow the service calico from the other hosts, and put cali+ and the tunnels into the zone calico';
    add('firewall-closed', 'firewalld', words);
  }
  for (const warning of progress.host?.warnings ?? []) add('host-setting', 'host', warning);
  found.push(...(wiring.bgp?.notes ?? []));
  return found;
}
