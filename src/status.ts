import type { Fault } from './base/index.js';
import type { DaemonConfig } from './config/index.js';
import type { DaemonCore } from './daemon-core.js';
import type { Node } from './model/index.js';
import type { PassReport, Pending } from './reconcile/index.js';

export interface StatusParts {
  readonly config: DaemonConfig;
  readonly version: string;
  readonly scope: string;
  readonly core: DaemonCore | undefined;
  /** Why there is no core yet. */
  readonly failure: Fault | undefined;
  readonly pending: Pending;
  /** Milliseconds since the start of the process. */
  readonly uptimeMs: number;
}

/** What `calicoctl status` shows: plain values, lists of objects as tables. */
export function describeDaemon(parts: StatusParts): Record<string, unknown> {
  const { config, core, failure, pending } = parts;
  return {
    version: parts.version,
    node: config.nodeName.name,
    nodeNameFrom: config.nodeName.source,
    state: core === undefined ? 'waiting for the datastore' : 'ready',
    ...(failure === undefined ? {} : { reason: failure.message }),
    uptimeSeconds: Math.round(parts.uptimeMs / 1000),
    scope: parts.scope,
    ...(core === undefined ? {} : describeCore(core)),
    pendingDeletions: pending.list().map(({ kind, payload, recordedAt }) => ({
      kind,
      of: Object.values(payload).join(' '),
      since: new Date(recordedAt).toISOString(),
    })),
    damagedFiles: pending.damaged(),
  };
}

function describeCore(core: DaemonCore): Record<string, unknown> {
  const { plugin, store, agent, hold, inventory, reconciler, nodeKeeper, nft, startAgain } = core;
  const { keeper, exchange } = core;
  const { registration } = nodeKeeper;
  const decision = hold.mayAllocate();
  const { dataplane, state, lastApplied, policy, routes, remote, tunnels } = agent.status();
  const { bgp, forward, decisions, table, published } = agent.status();
  const { leases, blocks } = plugin.ipam.allocator.counts;
  return {
    datastore: {
      ...{ type: store.type, where: store.description, cluster: registration.clusterGuid },
      epoch: keeper.epoch.number,
    },
    ...describeExchange(exchange, core),
    nodeName: decision.ok ? 'held' : decision.message,
    ...drainOf(plugin.catalog.node.value),
    warnings: [
      ...registration.warnings,
      ...[nodeKeeper.problem, plugin.tunnels.problem, keeper.problem]
        .filter((message) => message !== undefined)
        .map((message) => ({ reason: 'not-written', message })),
    ],
    pools: plugin.catalog.pools.map(({ value }) => ({
      name: value.name,
      cidr: value.cidr.toString(),
      blockSize: value.blockSize,
      nat: value.natOutgoing,
      open: !value.closed,
    })),
    networks: plugin.driver.networks
      .all()
      .map(({ name, networkId, subnets, automatic, internal }) => ({
        name: name === '' ? '(not known yet)' : name,
        id: networkId.slice(0, 12),
        subnets: [
          ...subnets.map(String),
          ...automatic.map((family) => `any IPv${family} pool`),
        ].join(', '),
        internal,
      })),
    allocator: { endpoints: plugin.book.all().length, addressesSinceStart: leases, blocks },
    docker: inventory.status(),
    startedAgain: startAgain.counts,
    agent: {
      dataplane,
      state,
      lastApplied: new Date(lastApplied).toISOString(),
      rules: nft.implementation,
      policy,
      routes,
      remote,
      forward,
      table,
    },
    // `docker ps` cannot show them for drivers of others.
    publishedPorts: published,
    tunnels,
    bgp: { ...bgp, sessions: bgp.sessions.map(({ name: _name, ...session }) => session) },
    decisions,
    leftovers: describeLeftovers(reconciler.report()),
    unprovenLeftovers: reconciler.report()?.unproven ?? [],
  };
}

function drainOf(node: Node | undefined): Record<string, unknown> {
  if (node?.drain === undefined) return {};
  return {
    drained:
      node.drain === 'empty'
        ? 'nothing runs here, addresses and BGP sessions are given up'
        : 'no addresses are given out; it goes on when nothing runs here any more',
  };
}

/** What running containers use and the datastore lacked; whom new addresses wait for. */
function describeExchange(
  exchange: DaemonCore['exchange'],
  { plugin, keeper }: DaemonCore,
): Record<string, unknown> {
  const { claimed, conflicts, endpoints } = plugin.claims;
  const epoch = keeper.mayAllocate();
  return {
    addresses: epoch.ok ? 'given out' : epoch.message,
    ...(exchange === undefined && claimed.length + conflicts.length + endpoints === 0
      ? {}
      : {
          exchanged: { ...exchange, addressesClaimed: claimed.length, endpointsWritten: endpoints },
        }),
    ...(conflicts.length === 0 ? {} : { addressConflicts: conflicts }),
  };
}

function describeLeftovers(report: PassReport | undefined): unknown {
  if (report === undefined) return 'not looked yet';
  const { at, freedInAll, failed, waiting } = report;
  return { lookedAt: new Date(at).toISOString(), freed: freedInAll, failed, waiting };
}
