import { Type, type Static, type TSchema } from 'typebox';

const text = (fallback: string, description: string) =>
  Type.String({ default: fallback, description });
const flag = (fallback: boolean, description: string) =>
  Type.Boolean({ default: fallback, description });
const count = (fallback: number, maximum: number, description: string) =>
  Type.Integer({ default: fallback, minimum: 0, maximum, description });
const choice = <const T extends string[]>(
  values: readonly [...T],
  fallback: T[number],
  description: string,
) => Type.Enum(values, { default: fallback, description });
/** A Go duration such as `90s` or `10m`. */
const duration = (fallback: string, description: string) =>
  Type.String({ default: fallback, description, format: 'duration' });

const MINUTE = 60_000;

/**
 * Every key of `calico-libnetwork.yaml`. Each is also the variable `CALICO_LIBNETWORK_<KEY>` and the
 * flag `--<key>`. A new setting is one line here and its use.
 */
export const daemonSchema = Type.Object({
  enabled: flag(true, 'serve the Docker plugin sockets'),
  logLevel: choice(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info',
    'least severe log line that is written',
  ),
  nodename: text('', 'name of this host in the cluster'),
  stateDir: text(
    '/var/lib/calico',
    'what survives a boot: node name, host UUID, embedded datastore',
  ),
  runDir: text('/run/calico', 'what a boot forgets: admin socket, endpoint records'),
  pluginDir: text('/run/docker/plugins', "folder of Docker's plugin sockets"),
  driverName: text('calico', 'name of the network driver'),
  ipamDriverName: text('calico-ipam', 'name of the IPAM driver'),
  namespace: text('default', 'namespace of the endpoints that are made'),
  scope: choice(['auto', 'local', 'global'], 'auto', "scope of networks in Docker's sense"),
  vethMtu: count(0, 65_535, 'MTU of containers; 0 finds it out'),
  interfacePrefix: text('cali', 'prefix of interface names inside containers'),
  createProfiles: flag(true, 'make a profile for each network that has none'),
  labelEndpoints: flag(true, 'copy container labels to endpoints'),
  metricsPort: count(0, 65_535, 'port of metrics and health; 0 is off'),
  metricsHost: text('127.0.0.1', 'address of metrics and health'),
  adminSocket: text('', 'socket for calicoctl; below runDir when empty'),
  procRoot: text('/proc', "where the host's /proc is; a managed plugin may not write its own"),
  dockerSocket: text('/var/run/docker.sock', 'the Docker API'),
  bootWaitMs: count(120_000, 60 * MINUTE, 'longest wait for the datastore after a start'),
  callTimeoutMs: count(20_000, 10 * MINUTE, "bound of Docker's calls"),
  deleteTimeoutMs: count(2000, 10 * MINUTE, "bound of Docker's calls that undo"),
  failpointFile: text('', 'for tests: a file that says at which step the daemon is to end itself'),
  reclaim: flag(true, 'free what crashes left over'),
  'reclaim.minimumAge': duration('10m', 'how long something must be unused before it is freed'),
  dataplane: choice(
    ['auto', 'internal', 'external'],
    'auto',
    'routes and policy by this daemon, or by a Felix beside it',
  ),
  networkingBackend: choice(
    ['bird', 'vxlan', 'none'],
    'bird',
    'how routes reach other hosts besides tunnels',
  ),
  plainRoutes: flag(
    false,
    'set routes to hosts on the same segment for pools without encapsulation, instead of BGP',
  ),
  bgpIncludeDir: text('/etc/calico/bird.d', "the operator's own BIRD files, *.conf, read last"),
  bgpPasswordFile: text(
    '/etc/calico/bgp-passwords.yaml',
    'passwords of BGP sessions, by the secret names and keys of BGPPeers; for root alone',
  ),
  bgpBfd: flag(false, 'find dead BGP peers within a second; wanted on both ends'),
  routerId: text('', "BGP router ID: an address, hash, or empty for the node's IPv4 address"),
  hostReach: choice(['own', 'all'], 'own', 'which hosts may reach containers: their own, or all'),
  datastoreType: choice(
    ['auto', 'etcdv3', 'embedded'],
    'auto',
    'which datastore; auto takes what calicoctl is configured for, else the embedded one',
  ),
  datastoreConfig: text('/etc/calico/calicoctl.cfg', "calicoctl's configuration file"),
  ip: text('', 'IPv4 address of this node: address, CIDR, autodetect or none'),
  ip6: text('', 'IPv6 address of this node'),
  as: text('', 'AS number of this node'),
  ipAutodetectionMethod: text('', 'how the IPv4 address is found'),
  ip6AutodetectionMethod: text('', 'how the IPv6 address is found'),
  checkAddressConflicts: flag(true, 'refuse an address that another node has'),
  noDefaultPools: flag(false, 'make no default pools'),
  ipv4PoolCidr: text('', 'CIDR of the default IPv4 pool'),
  ipv4PoolIpip: text('', 'IPIP mode of the default IPv4 pool'),
  ipv4PoolVxlan: text('', 'VXLAN mode of the default IPv4 pool'),
  ipv4PoolBlockSize: text('', 'block size of the default IPv4 pool'),
  ipv4PoolNodeSelector: text('', 'node selector of the default IPv4 pool'),
  ipv4PoolNatOutgoing: text('', 'NAT of the default IPv4 pool'),
  ipv4PoolDisableBgpExport: text('', 'no BGP export of the default IPv4 pool'),
  ipv6PoolCidr: text('', 'CIDR of the default IPv6 pool'),
  ipv6PoolVxlan: text('', 'VXLAN mode of the default IPv6 pool'),
  ipv6PoolBlockSize: text('', 'block size of the default IPv6 pool'),
  ipv6PoolNodeSelector: text('', 'node selector of the default IPv6 pool'),
  ipv6PoolNatOutgoing: text('', 'NAT of the default IPv6 pool'),
  ipv6PoolDisableBgpExport: text('', 'no BGP export of the default IPv6 pool'),
});

/** One value per key, after defaults, file, environment and flags. */
export type Settings = Readonly<Static<typeof daemonSchema>>;
export type Key = keyof Settings;

export const keys = Object.keys(daemonSchema.properties) as readonly Key[];

/** What the schema says about one key. */
export interface KeyRule {
  readonly type: 'boolean' | 'integer' | 'choice' | 'duration' | 'text';
  readonly fallback: Settings[Key];
  readonly description: string;
  readonly choices: readonly string[];
  readonly maximum: number;
}

export function ruleOf(key: Key): KeyRule {
  const schema = daemonSchema.properties[key] as TSchema as TSchema & {
    type?: string;
    enum?: readonly string[];
    format?: string;
    maximum?: number;
    default: Settings[Key];
    description: string;
  };
  const { enum: choices = [], format, maximum = 0 } = schema;
  const type =
    choices.length > 0
      ? 'choice'
      : format === 'duration'
        ? 'duration'
        : schema.type === 'boolean' || schema.type === 'integer'
          ? schema.type
          : 'text';
  return { type, fallback: schema.default, description: schema.description, choices, maximum };
}

/** `CALICO_LIBNETWORK_LOG_LEVEL` for `logLevel`. */
export function variableOf(key: Key): string {
  return `CALICO_LIBNETWORK_${snake(key).toUpperCase()}`;
}

/** `--log-level` for `logLevel`, without the dashes. */
export function flagOf(key: Key): string {
  return snake(key).replaceAll('_', '-');
}

function snake(key: Key): string {
  return key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toLowerCase();
}

/**
 * Variables of Calico and of the programs before us that mean the same as a key of ours; our own
 * variable wins. `CALICO_CNM` and `CALICO_IPAM` are the driver names of Eru's plugin.
 */
export const aliases: Readonly<Partial<Record<Key, readonly string[]>>> = {
  nodename: ['NODENAME'],
  stateDir: ['CALICO_STATE_DIR'],
  driverName: ['CALICO_CNM'],
  ipamDriverName: ['CALICO_IPAM'],
  interfacePrefix: ['CALICO_LIBNETWORK_IFPREFIX'],
  networkingBackend: ['CALICO_NETWORKING_BACKEND'],
  routerId: ['CALICO_ROUTER_ID'],
  ip: ['IP'],
  ip6: ['IP6'],
  as: ['AS'],
  ipAutodetectionMethod: ['IP_AUTODETECTION_METHOD'],
  ip6AutodetectionMethod: ['IP6_AUTODETECTION_METHOD'],
  noDefaultPools: ['NO_DEFAULT_POOLS'],
  ipv4PoolCidr: ['CALICO_IPV4POOL_CIDR'],
  ipv4PoolIpip: ['CALICO_IPV4POOL_IPIP'],
  ipv4PoolVxlan: ['CALICO_IPV4POOL_VXLAN'],
  ipv4PoolBlockSize: ['CALICO_IPV4POOL_BLOCK_SIZE'],
  ipv4PoolNodeSelector: ['CALICO_IPV4POOL_NODE_SELECTOR'],
  ipv4PoolNatOutgoing: ['CALICO_IPV4POOL_NAT_OUTGOING'],
  ipv4PoolDisableBgpExport: ['CALICO_IPV4POOL_DISABLE_BGP_EXPORT'],
  ipv6PoolCidr: ['CALICO_IPV6POOL_CIDR'],
  ipv6PoolVxlan: ['CALICO_IPV6POOL_VXLAN'],
  ipv6PoolBlockSize: ['CALICO_IPV6POOL_BLOCK_SIZE'],
  ipv6PoolNodeSelector: ['CALICO_IPV6POOL_NODE_SELECTOR'],
  ipv6PoolNatOutgoing: ['CALICO_IPV6POOL_NAT_OUTGOING'],
  ipv6PoolDisableBgpExport: ['CALICO_IPV6POOL_DISABLE_BGP_EXPORT'],
};

/** Variables of our prefix that the predecessors read and that nothing here needs. */
export const withoutEffect: readonly string[] = ['CALICO_LIBNETWORK_LABEL_POLL_TIMEOUT'];
