import { Address } from './address.js';
import type { Cidr } from './cidr.js';

/** Where a BGP password stands; Calico means a Kubernetes secret, we a key of a root-only file. */
export interface SecretReference {
  readonly name: string;
  readonly key: string;
}

export interface PrefixAdvertisement {
  readonly cidr: Cidr;
  /** Names of defined communities, or values. */
  readonly communities: readonly string[];
}

/** A BGPConfiguration, `default` or `node.<name>`; what is absent has Calico's default (datamodel §1.10). */
export interface BgpConfiguration {
  readonly name: string;
  readonly logSeverity?: string;
  readonly nodeToNodeMesh?: boolean;
  readonly asNumber?: number;
  readonly listenPort?: number;
  readonly bindToNodeAddress: boolean;
  /** Name → value, such as `64512:100`. */
  readonly communities: Readonly<Record<string, string>>;
  readonly prefixAdvertisements: readonly PrefixAdvertisement[];
  readonly meshPassword?: SecretReference;
  readonly meshMaxRestartSeconds?: number;
  /** Interfaces whose networks are not read, besides those of workloads. */
  readonly ignoredInterfaces: readonly string[];
}

/** The AS number of nodes that have none of their own, where no BGPConfiguration names one. */
export const DEFAULT_AS_NUMBER = 64_512;
export const BGP_PORT = 179;

/** Where a host's BGP speaker takes packets of its peers. */
export interface BgpListener {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/** BFD between hosts that may be several hops apart (RFC 5883). */
export const MULTIHOP_BFD_PORT = 4784;

/** A BGPPeer as stored; selectors are text (datamodel §1.11). */
export interface BgpPeer {
  readonly name: string;
  /** The node that has the session; without it and without `nodeSelector` every node has. */
  readonly node?: string;
  readonly nodeSelector?: string;
  readonly peer?: PeerAddress;
  readonly asNumber?: number;
  /** Nodes that are peered with; instead of `peer`. */
  readonly peerSelector?: string;
  readonly localAsNumber?: number;
  readonly nextHop: 'auto' | 'self' | 'keep';
  readonly password?: SecretReference;
  readonly sourceAddress: 'node' | 'none';
  readonly maxRestartSeconds?: number;
  readonly keepaliveSeconds?: number;
  readonly allowedLocalAsNumbers?: number;
  /** Hops that the peer may be away; others' packets are dropped. */
  readonly ttlSecurity?: number;
  /** The gateway to the peer. */
  readonly reachableBy?: Address;
  /** Names of BGPFilters, in their order. */
  readonly filters: readonly string[];
  /** Peers of local workloads; not offered here. */
  readonly localWorkloadSelector?: string;
  /** The selected nodes have the session as well, though no object says so. */
  readonly reversePeering: boolean;
}

export interface PeerAddress {
  readonly address: Address;
  readonly port?: number;
}

/** `192.0.2.1`, `192.0.2.1:1790`, `2001:db8::1`, `[2001:db8::1]:1790`; undefined when it is none of them. */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  const plain = Address.tryParse(text);
  if (plain !== undefined) return { address: plain };
  const match = /^(?:\[(.+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const address = Address.tryParse(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  if (address === undefined || port < 1 || port > 65_535) return undefined;
  if ((address.family === 6) !== (match?.[1] !== undefined)) return undefined;
  return { address, port };
}

/** The two or three parts of a standard (`aa:nn`) or large (`aa:nn:mm`) community; undefined when it is none. */
export function parseCommunity(text: string): readonly number[] | undefined {
  if (!/^\d{1,10}(?::\d{1,10}){1,2}$/.test(text)) return undefined;
  const parts = text.split(':').map(Number);
  const most = parts.length === 2 ? 0xffff : 0xffff_ffff;
  return parts.every((part) => part <= most) ? parts : undefined;
}

export type BgpFilterMatch = 'Equal' | 'NotEqual' | 'In' | 'NotIn';

export type BgpFilterOperation =
  | { readonly type: 'add-community'; readonly community: string }
  | { readonly type: 'prepend-as-path'; readonly asNumbers: readonly number[] }
  | { readonly type: 'set-priority'; readonly priority: number };

/** One rule: all that is given must match; the action ends the filter. */
export interface BgpFilterRule {
  readonly network?: {
    readonly cidr: Cidr;
    readonly match: BgpFilterMatch;
    /** Lengths of prefixes; within the family when left out. */
    readonly min?: number;
    readonly max?: number;
  };
  /** Only routes that were learnt from peers. */
  readonly fromPeersOnly: boolean;
  /** A pattern with `*`. */
  readonly interface?: string;
  readonly peerType?: 'eBGP' | 'iBGP';
  readonly community?: string;
  readonly asPathPrefix: readonly number[];
  /** A kernel metric, in the units of Felix's route priorities. */
  readonly priority?: number;
  readonly accept: boolean;
  readonly operations: readonly BgpFilterOperation[];
}

export interface BgpFilter {
  readonly name: string;
  readonly export4: readonly BgpFilterRule[];
  readonly import4: readonly BgpFilterRule[];
  readonly export6: readonly BgpFilterRule[];
  readonly import6: readonly BgpFilterRule[];
}
