import {
  families,
  MULTIHOP_BFD_PORT,
  type BgpFilter,
  type BgpListener,
  type Family,
  type Node,
} from '../../model/index.js';
import type { BgpFacts, BgpNote, BgpSettings, Session } from './facts.js';
import { bgpAddress, BgpConfigurations, clusterId, routerId } from './own-node.js';
import { filterFunction, renderFilters } from './render-filters.js';
import { KERNEL_OPTIONS, renderInterfaces, renderRoutes } from './render-routes.js';
import { decideSessions } from './sessions.js';

/** More nodes than this in a mesh are better served by reflectors, as Calico's documentation advises. */
export const LARGE_MESH = 100;

export interface RenderedBgp {
  /** The whole text of a BIRD 2 configuration; it may contain passwords. */
  readonly text: string;
  readonly sessions: readonly Session[];
  /** Where BIRD takes packets of its peers; nowhere without sessions. */
  readonly listeners: readonly BgpListener[];
  readonly notes: readonly BgpNote[];
}

/**
 * BIRD's configuration on this host; undefined when the node has no address to speak from. Pure: equal facts give equal
 * text, whatever their order. Any BIRD 2 from 2.0.7 on reads it.
 */
export function renderBgp(facts: BgpFacts, settings: BgpSettings): RenderedBgp | undefined {
  const own = [...facts.nodes].find(({ name }) => name === facts.nodeName);
  if (own === undefined) return undefined;
  const spoken = families.filter((family) => bgpAddress(own, family) !== undefined);
  if (spoken.length === 0) return undefined;
  const configurations = new BgpConfigurations(facts.configurations);
  const { sessions, notes, meshSize } = decideSessions(facts, own);
  const filters = new Map([...facts.filters].map((filter) => [filter.name, filter]));
  const text = [
    '# Written by calico-libnetwork from the objects in the datastore; changes here are lost.',
    ...renderGlobals(own, configurations, settings),
    ...renderInterfaces(configurations, own.name),
    ...(settings.bfd ? BFD : []),
    ...spoken.flatMap((family) =>
      renderRoutes(facts, configurations, sessions, family, settings.plainRoutes),
    ),
    '# ---- filters and sessions ----',
    ...renderFilters(sessions, filters),
    ...TEMPLATE,
    ...sessions.flatMap((session) => renderSession(session, own, configurations, settings)),
    '',
  ].join('\n');
  const listeners = listenersOf(sessions, configurations.portOf(own.name), settings);
  const told = [...notes, ...ownNotes(sessions, filters, meshSize, own)];
  return { text, sessions, listeners, notes: told };
}

function listenersOf(
  sessions: readonly Session[],
  port: number,
  settings: BgpSettings,
): readonly BgpListener[] {
  if (sessions.length === 0) return [];
  const watched = sessions.some((session) => hasBfd(session, settings));
  const bfd = { protocol: 'udp', port: MULTIHOP_BFD_PORT } as const;
  return [{ protocol: 'tcp', port }, ...(watched ? [bfd] : [])];
}

/** BFD needs an address to speak from. */
function hasBfd({ local }: Session, { bfd }: BgpSettings): boolean {
  return bfd && local !== undefined;
}

/** The text with files of the operator, read last; their paths are `quotable`. */
export function withIncludes(text: string, paths: readonly string[]): string {
  return text + paths.map((path) => `include "${path}";\n`).join('');
}

/** A configuration that takes everything back that a BIRD of ours may have put into the kernel. */
export function renderNothing(logFile: string): string {
  const kernel = (family: Family): string =>
    `protocol kernel kernel${family} { ${KERNEL_OPTIONS} ipv${family} { import none; export all; }; }`;
  return [
    `log "${logFile}" { warning, error, fatal, bug };`,
    'router id 1.0.0.0;',
    'protocol device { scan time 2; }',
    ...families.map(kernel),
    '',
  ].join('\n');
}

function ownNotes(
  sessions: readonly Session[],
  filters: ReadonlyMap<string, BgpFilter>,
  meshSize: number,
  own: Node,
): BgpNote[] {
  const named = new Set(sessions.flatMap((session) => session.filters));
  const missing = [...named].filter((name) => !filters.has(name)).sort();
  const notes: BgpNote[] = missing.map((name) => ({
    reason: 'bgp-filter-missing',
    subject: name,
    details: 'no such BGPFilter can be read; peers that name it get and give no routes',
  }));
  if (meshSize <= LARGE_MESH) return notes;
  const details = `each of ${meshSize} nodes has a session with every other; from ${LARGE_MESH} on use reflectors: calicoctl node reflector, then calicoctl bgp node-mesh off`;
  return [...notes, { reason: 'bgp-mesh-large', subject: own.name, details }];
}

/** Severities of BGPConfiguration as BIRD's classes, the less severe ones included. */
const CLASSES: readonly (readonly [string, string])[] = [
  ['Fatal', 'fatal, bug'],
  ['Error', 'error'],
  ['Warning', 'warning, auth'],
  ['Info', 'info, remote'],
  ['Debug', 'debug, trace'],
];

function logClasses(severity: string): string {
  const wanted = severity === 'Trace' ? 'Debug' : severity;
  const last = CLASSES.findIndex(([name]) => name === wanted);
  return CLASSES.slice(0, last < 0 ? 4 : last + 1)
    .map(([, classes]) => classes)
    .join(', ');
}

function renderGlobals(
  own: Node,
  configurations: BgpConfigurations,
  settings: BgpSettings,
): string[] {
  const severity = configurations.logSeverityOf(own.name);
  return [
    `log "${settings.logFile}" 1000000 "${settings.logFile}.1" { ${logClasses(severity)} };`,
    ...(['Debug', 'Trace'].includes(severity) ? ['debug protocols { states, events };'] : []),
    // Times without spaces and fractions, as node status shows them.
    'timeformat protocol "%H:%M:%S" 72000 "%Y-%m-%d";',
    `router id ${routerId(own, settings.routerId)};`,
    // With BIRD's own 240 one peer that is down keeps all routes from the kernel that long (node-agent §2.10).
    'graceful restart wait 15;',
  ];
}

const BFD: readonly string[] = [
  'protocol bfd calico_bfd {',
  '  multihop { interval 300 ms; multiplier 3; };',
  '}',
];

/**
 * How long a peer may be silent until its routes go, in seconds, where no BFD tells sooner. RFC 4271 suggests 90; BIRD's
 * 240, which Calico leaves as it is, would keep the routes of a host that lost its power for four minutes.
 */
const HOLD_SECONDS = 90;

const TEMPLATE: readonly string[] = [
  'template bgp calico_bgp {',
  '  connect delay time 1; connect retry time 5; error wait time 5, 30; graceful restart on;',
  `  hold time ${HOLD_SECONDS};`,
  '}',
];

function renderSession(
  session: Session,
  own: Node,
  configurations: BgpConfigurations,
  settings: BgpSettings,
): string[] {
  const { address, port, peerAs, local, localAs, password, ttlSecurity } = session;
  const listen = configurations.portOf(own.name);
  const bind = configurations.bindsToNodeAddress(own.name) && local !== undefined;
  const optional: readonly (string | false)[] = [
    bind && 'strict bind on;',
    session.passive && 'passive on;',
    session.reflectorClient && `rr client; rr cluster id ${clusterId(own)};`,
    session.allowedLocalAsNumbers !== undefined &&
      `allow local as ${session.allowedLocalAsNumbers};`,
    session.maxRestartSeconds !== undefined &&
      `graceful restart time ${session.maxRestartSeconds};`,
    session.keepaliveSeconds !== undefined &&
      `keepalive time ${session.keepaliveSeconds}; hold time ${holdSeconds(session.keepaliveSeconds)};`,
    hasBfd(session, settings) && 'bfd on;',
    password !== undefined && `password "${password}";`,
  ];
  return [
    `protocol bgp ${session.name} from calico_bgp {`,
    `  neighbor ${address}${port === undefined ? '' : ` port ${port}`} as ${peerAs};`,
    `  local ${local === undefined ? '' : `${local} `}port ${listen} as ${localAs};`,
    ttlSecurity === undefined ? '  multihop;' : `  multihop ${ttlSecurity}; ttl security on;`,
    ...optional.filter((line) => line !== false).map((line) => `  ${line}`),
    ...renderChannel(session),
    '}',
  ];
}

/** Three silent intervals, as between any two BGP speakers. */
function holdSeconds(keepaliveSeconds: number): number {
  return Math.min(Math.max(HOLD_SECONDS, 3 * keepaliveSeconds), 65_535);
}

function renderChannel(session: Session): string[] {
  const { family, filters, localAs, peerAs, nextHop } = session;
  const internal = localAs === peerAs;
  const calls = (direction: 'import' | 'export'): string =>
    filters.map((name) => `${filterFunction(name, direction, family)}(${internal}); `).join('');
  return [
    `  ipv${family} {`,
    `    import filter { ${calls('import')}calico_from_peer${family}(); };`,
    `    export filter { calico_prefer${family}(); ${calls('export')}calico_to_peer${family}(); };`,
    `    add paths on;${nextHopOption(nextHop, internal)}`,
    '  };',
  ];
}

/** Towards other ASes, blocks of other nodes keep these as their next hop: traffic would take a detour by this host. */
function nextHopOption(nextHop: Session['nextHop'], internal: boolean): string {
  if (nextHop === 'self') return ' next hop self;';
  if (internal) return '';
  return nextHop === 'keep' ? ' next hop keep;' : ' next hop keep ibgp;';
}
