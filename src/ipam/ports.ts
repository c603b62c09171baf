import type { Compare, Write } from '../datastore/index.js';
import type { Address } from '../model/index.js';

/** Whether this host may give out and free addresses now (the hold on the node name decides). */
export interface AllocationGate {
  mayAllocate():
    | { readonly ok: true }
    | { readonly ok: false; readonly reason: string; readonly message: string };
  /** Waits while the name is being claimed; at once when it is ours or a rival's. Absent: nothing to wait for. */
  decided?(signal: AbortSignal): Promise<unknown>;
}

/** An endpoint of this host that the datastore still binds to an address. */
export interface BoundEndpoint {
  readonly endpointId: string;
  /** For messages: the container's or the endpoint's name. */
  readonly description: string;
  /** True while its interface exists: a container may be using the address. Waits a moment for one that is going. */
  isLive(signal: AbortSignal): Promise<boolean>;
  /** Takes its routes and policy out of the kernel; what then has to be committed together with the release. */
  evict(): Promise<{ readonly compares: readonly Compare[]; readonly writes: readonly Write[] }>;
  /** The eviction was committed. */
  evicted(): void;
}

/** What the allocator asks of the driver. */
export interface EndpointsByAddress {
  /** A local endpoint has the address, as far as this host knows: no automatic assignment gives it out. */
  isBound(address: Address): boolean;
  holding(address: Address): BoundEndpoint | undefined;
}

/** Which network a pool request belongs to: calico's own, not yet any, or one of another driver. */
export interface PoolUses {
  /** Docker asked for the pool; CreateNetwork of the same network comes next. */
  requested(poolId: string, answer: { readonly pool: string }): void;
  /**
   * `foreign`: no network of ours took the pool, so another driver (such as bridge) did. `unknown`: asked
   * for in an earlier life of the daemon or on another host; the stored networks tell.
   */
  userOf(poolId: string): 'ours' | 'foreign' | 'unknown';
  released(poolId: string): void;
}

/** Durable memory for releases that could not reach the store. */
export interface PendingReleases {
  record(
    kind: 'release-address' | 'release-pool',
    payload: Readonly<Record<string, string>>,
  ): Promise<void>;
}

/** A release that has to be done later. */
export interface ForgottenRelease {
  readonly address: Address;
  readonly poolId: string;
  readonly handle: string;
}
