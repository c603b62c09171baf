import type {
  Address,
  Cidr,
  Family,
  LocalEndpoint,
  PortBinding,
  Profile,
  PublishedPort,
} from '../model/index.js';

/** What the driver asks of the agent: routes and policy of one endpoint, in the kernel when the promise resolves. */
export interface EndpointProgrammer {
  /** The addresses will be used soon: connections of their former users are looked for in the background. */
  prepareAddresses(addresses: readonly Address[]): void;
  /**
   * The endpoint is being made and will be programmed: its policy may go into the kernel by now. Waits for nothing; what
   * fails is done, and told, by `program`. `withdraw` takes it back.
   */
  programAhead(endpoint: LocalEndpoint): void;
  program(endpoint: LocalEndpoint, signal?: AbortSignal): Promise<void>;
  /** A profile that the driver just wrote or read: complete policy must not wait for the watch. */
  learnProfile(profile: Profile): void;
  /** The MTU that leaves room for the tunnels in use; undefined while nothing is known of the host's interfaces. */
  workloadMtu(): number | undefined;
  /**
   * Holds ports of this host, all or none, until the endpoint is withdrawn or programmed without them. Faults: `exists` for
   * one that is in use, `invalid` for one that cannot be.
   */
  reservePorts(
    endpointId: string,
    bindings: readonly PortBinding[],
    addresses: readonly Address[],
    signal?: AbortSignal,
  ): Promise<readonly PublishedPort[]>;
  /** What was reserved and not programmed is free. */
  releasePorts(endpointId: string): void;
  /** Takes routes and policy away; success when there were none. Conntrack of its addresses is cleaned in the background. */
  withdraw(endpointId: string): Promise<void>;
}

/** What the driver asks of the Docker inventory. Never calls Docker. */
export interface NetworkNames {
  /** The network's name if it is known now. */
  nameOf(networkId: string): string | undefined;
  /** Waits at most `ms` for the name. */
  waitFor(networkId: string, ms: number): Promise<string | undefined>;
}

/** An address that RequestAddress gave out and that no endpoint is bound to yet. */
export interface AddressLease {
  readonly address: Address;
  /** IPAM handle, `docker.<node>.<random>`. */
  readonly handle: string;
  /** Revision of the handle key at the claim. */
  readonly handleRevision: bigint;
  /** Text of the handle key's value, to be put again unchanged. */
  readonly handleValue: string;
  /** The MAC Docker announced with RequestAddress, lower case, or empty. */
  readonly mac: string;
}

/** An address that a running container uses. */
export interface AddressClaim {
  readonly address: Address;
  /** Under which it was given out; undefined when nobody knows any more. */
  readonly handle: string | undefined;
  readonly mac: string;
}

/** What became of one: it stood there, stands there again, is held by somebody else, or lies nowhere. */
export type AddressClaimOutcome =
  | { readonly type: 'held' | 'claimed' | 'no-pool' }
  | { readonly type: 'conflict'; readonly holder: string };

/** What the driver asks of the allocator. */
export interface AddressLeases {
  /** The lease of an address that this host gave out, from memory or, after a restart, from the store. */
  leaseOf(address: Address, signal?: AbortSignal): Promise<AddressLease | undefined>;
  /** The endpoint is stored with this address; `revision` is the handle's new one. */
  bound(address: Address, handle: string, endpointId: string, revision: bigint): void;
  /** A compare of the handle failed: forget its revision and read it again. */
  reloadHandle(handle: string, options: { readonly signal?: AbortSignal }): Promise<void>;
  /** Claims what the datastore lacks of addresses in use; one outcome for each, in order. */
  claimAgain(
    claims: readonly AddressClaim[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly AddressClaimOutcome[]>;
}

/** A pool request that a network took. */
export interface AdoptedPool {
  readonly poolId: string;
  /** The user gave no subnet: addresses come from any automatic pool. */
  readonly automatic: boolean;
  readonly family: Family;
}

/** Links the pools that Docker asked for to the network that it then creates. */
export interface PoolRequests {
  /** Requests, not yet taken by a network, whose answer was this pool; they are this network's from now on. */
  adopt(data: readonly { readonly pool: string }[]): readonly AdoptedPool[];
  /** A stored network's PoolIDs. */
  restore(poolIds: readonly string[]): void;
  /** Where addresses of networks without a subnet come from: the CIDRs of the automatic pools. */
  automaticSubnets(family: Family): readonly Cidr[];
}

/** Durable memory for deletions that could not reach the store. */
export interface PendingDeletions {
  record(
    kind: 'delete-endpoint' | 'delete-network',
    payload: Readonly<Record<string, string>>,
  ): Promise<void>;
}
