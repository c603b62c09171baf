import type { Clock, ExecResult, Log } from '../base/index.js';
import type { SyncListener, Syncer } from '../datastore/index.js';
import type {
  Address,
  FelixConfiguration,
  LocalEndpoint,
  PortBinding,
  Profile,
  PublishedPort,
} from '../model/index.js';
import type { Netlink } from '../netlink/index.js';
import type { Nft } from '../nft/index.js';
import type { Insight } from './insight.js';
import type { HostSettings } from './policy/index.js';
import type { AgentStatus, Decision } from './status.js';

/** Makes the syncer that feeds the agent; the daemon binds it to its store. */
export type SyncerFactory = (options: {
  readonly prefixes: readonly string[];
  readonly listener: SyncListener;
  readonly log: Log;
}) => Syncer;

/** What the agent counts; the daemon's metrics, or nothing. */
export interface AgentMeter {
  /** An endpoint's routes and policy were in the kernel after this many seconds. */
  programmed(seconds: number): void;
}

export interface AgentSettings {
  /** This host's node name: endpoints of other nodes are selected, never programmed. */
  readonly nodeName: string;
  /** Who of the hosts reaches containers; `own` unless told. */
  readonly hostReach?: 'own' | 'all';
  /** `auto`, the default: what the kernel says. */
  readonly ipv6?: 'auto' | 'on' | 'off';
  /** Name of the nftables table; `calico-libnetwork` unless told. */
  readonly tableName?: string;
  /** Where /proc is mounted. */
  readonly procRoot?: string;
  /** Milliseconds between full comparisons with the kernel; 90 s unless told, with a tenth of jitter. */
  readonly compareEveryMs?: number;
  /** Failsafe ports, and what containers may do with their own host. */
  readonly host?: HostSettings;
  /** Accepts in DOCKER-USER are kept; true unless told. */
  readonly iptables?: boolean;
  /** Routes of pools without encapsulation are set here, to hosts on the same segment; false unless told: BIRD's. */
  readonly plainRoutes?: boolean;
  /** `external`: a Felix of this host does everything but the wiring of endpoints; `internal` unless told. */
  readonly dataplane?: 'internal' | 'external';
  /** Overrides what the FelixConfigurations say. */
  readonly felix?: FelixConfiguration;
  /** BGP is left alone altogether when this is left out. */
  readonly bgp?: BgpHostSettings;
}

/** What the operator of this host says about BGP. */
export interface BgpHostSettings {
  /** Why no BGP is spoken on this host, when that is so. */
  readonly disabled?: string;
  /** Folder of BIRD's configuration, control socket and log; a boot empties it. */
  readonly runDir: string;
  /** The operator's own files: its `*.conf` are read last. */
  readonly includeFolder: string;
  /** YAML with the passwords that BGPPeers refer to; root's alone. */
  readonly passwordFile: string;
  /** `hash`, an address, or empty for the node's own. */
  readonly routerId: string;
  readonly bfd: boolean;
}

export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly netlink: Netlink;
  readonly nft: Nft;
  readonly createSyncer: SyncerFactory;
  readonly log: Log;
  readonly clock?: Clock;
  readonly meter?: AgentMeter;
  /** Addresses or interfaces of the host changed, those of containers and tunnels left aside. */
  readonly onHostChange?: () => void;
  /** Runs iptables; `exec` of base unless told. */
  readonly exec?: (
    program: string,
    args: readonly string[],
    options: { readonly signal?: AbortSignal },
  ) => Promise<ExecResult>;
}

/** One host's routes, policy and NAT, kept in the kernel as the cluster and the local driver want them. */
export interface Agent {
  /**
   * Endpoints that lived here before this process. To be called before `start`, with an empty list
   * when there are none; nothing of them is written until the store's first snapshot is in.
   */
  restore(endpoints: readonly LocalEndpoint[]): void;
  /**
   * Takes over the kernel; settles when it listens and has tried once, whether or not the store
   * answers. What fails is tried again and told by `status`. Ends with `stop` or the signal.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Settles when the store's first snapshot is in the kernel; rejects with the abort fault. */
  synced(signal: AbortSignal): Promise<void>;
  /** Leaves everything in the kernel as it is. */
  stop(): Promise<void>;
  /**
   * A profile that the driver just wrote or read: known here at once, though the store's watch may
   * tell of it later. What the store told already is never overridden.
   */
  learnProfile(profile: Profile): void;
  /** The addresses will be used soon: looks for connections of former users in the background. */
  prepareAddresses(addresses: readonly Address[]): void;
  /** A local endpoint has the address now. */
  addressInUse(address: Address): boolean;
  /** The endpoint will be programmed: its policy goes into the kernel by now, as far as that is possible. Fulfils the driver's port. */
  programAhead(endpoint: LocalEndpoint): void;
  /** Routes, policy and NAT of the endpoint are in the kernel when it settles. Fulfils the driver's port. */
  program(endpoint: LocalEndpoint, signal?: AbortSignal): Promise<void>;
  /** Holds ports of the host for an endpoint, which `program` is then to be told of. Fulfils the driver's port. */
  reservePorts(
    endpointId: string,
    bindings: readonly PortBinding[],
    addresses: readonly Address[],
    signal?: AbortSignal,
  ): Promise<readonly PublishedPort[]>;
  /** What was reserved and not programmed is free. */
  releasePorts(endpointId: string): void;
  /** Takes them away; success when there were none. Fulfils the driver's port. */
  withdraw(endpointId: string): Promise<void>;
  /** The MTU that a new endpoint has to have; undefined while nothing is known of the host's interfaces. */
  workloadMtu(): number | undefined;
  /** Something that the composition found out and that `status` is to show; undefined when it is over. */
  tell(decision: Decision | undefined): void;
  status(): AgentStatus;
  /** What the kernel knows; undefined where Felix does the work. */
  readonly insight: Insight | undefined;
}
