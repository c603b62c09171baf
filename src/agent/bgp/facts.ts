import type {
  Address,
  BgpConfiguration,
  BgpFilter,
  BgpPeer,
  Cidr,
  Family,
  IpPool,
  Node,
} from '../../model/index.js';

/** What the cluster says that BIRD's configuration follows from; the order of nothing in it matters. */
export interface BgpFacts {
  readonly nodeName: string;
  readonly nodes: readonly Node[];
  readonly configurations: readonly BgpConfiguration[];
  readonly peers: readonly BgpPeer[];
  readonly filters: readonly BgpFilter[];
  readonly pools: readonly IpPool[];
  /** Blocks of this host that are surely its own. */
  readonly blocks: readonly Cidr[];
  /** `name/key` of a secret → password. */
  readonly passwords: ReadonlyMap<string, string>;
}

/** What the operator of this host says. */
export interface BgpSettings {
  /** `hash`: from the node's name; an address; empty: the node's IPv4 address, or else the hash. */
  readonly routerId: string;
  /** Detect dead peers within a second; both ends must want it. */
  readonly bfd: boolean;
  /** The agent sets the routes of plain pools to hosts of this segment: BIRD leaves those to it. */
  readonly plainRoutes?: boolean;
  /** BIRD's log file. */
  readonly logFile: string;
}

/** Why BGP is not as it was asked for; the same words in log, status and CLI. */
export type BgpReason =
  /** BIRD does not run, or not with what is wanted. */
  | 'bgp-not-running'
  /** A BGPPeer that cannot be used on this host. */
  | 'bgp-peer-unusable'
  /** A selector of a BGPPeer matches no node. */
  | 'bgp-peer-selects-nothing'
  /** The password that a session needs is not in the password file. */
  | 'bgp-password-missing'
  /** A BGPFilter that a peer names does not exist or cannot be read; the peer gets and gives nothing. */
  | 'bgp-filter-missing'
  /** Two nodes have one address. */
  | 'bgp-address-shared'
  /** The reflectors of this node have different cluster IDs. */
  | 'bgp-cluster-ids-differ'
  /** So many nodes are better served by reflectors. */
  | 'bgp-mesh-large'
  /** A session is not established. */
  | 'bgp-session-down'
  /** A file in bird.d is wrong and is left out. */
  | 'bgp-include-refused'
  /** An object cannot be read and counts as absent. */
  | 'object-unreadable';

export interface BgpNote {
  readonly reason: BgpReason;
  readonly subject: string;
  readonly details: string;
}

/** Where a session comes from, in the words of calicoctl's node status. */
export type SessionType = 'Mesh' | 'Global' | 'Node';

/** One BGP session of this host, decided. */
export interface Session {
  /** `Mesh_192_0_2_1`: name of the protocol in BIRD; health checks read it. */
  readonly name: string;
  readonly type: SessionType;
  readonly family: Family;
  readonly address: Address;
  readonly port?: number;
  readonly peerAs: number;
  readonly localAs: number;
  /** Left out where the kernel is to choose. */
  readonly local?: Address;
  /** The peer dials. */
  readonly passive: boolean;
  /** This host reflects the peer's routes to others. */
  readonly reflectorClient: boolean;
  readonly nextHop: 'auto' | 'self' | 'keep';
  readonly filters: readonly string[];
  readonly password?: string;
  readonly maxRestartSeconds?: number;
  readonly keepaliveSeconds?: number;
  readonly allowedLocalAsNumbers?: number;
  readonly ttlSecurity?: number;
  readonly reachableBy?: Address;
}
