import type { Clock, Log } from '../base/index.js';
import type { Store } from '../datastore/index.js';
import type { Address, Cidr, Family } from '../model/index.js';
import type { Catalog } from './catalog.js';
import type { Host } from './owner.js';
import type { PoolId } from './pool-id.js';
import type { AllocationGate, EndpointsByAddress, ForgottenRelease } from './ports.js';

export interface AddressRequest {
  readonly poolId: PoolId;
  readonly family: Family;
  /** `--ip`, `--gateway`, `--aux-address`; undefined for any address. */
  readonly address: Address | undefined;
  /** The endpoint's MAC, lower case; empty for gateway and auxiliary addresses. */
  readonly mac: string;
  readonly holder: 'endpoint' | 'pool';
  readonly signal: AbortSignal;
}

/** An address that is in use on this host. */
export interface LiveClaim {
  readonly address: Address;
  /** Under which it was given out; undefined for a new one. */
  readonly handle: string | undefined;
  /** Empty for gateway and auxiliary addresses. */
  readonly mac: string;
}

export interface AllocatorOptions {
  readonly store: Store;
  readonly host: Host;
  readonly catalog: Catalog;
  readonly gate: AllocationGate;
  readonly endpoints: EndpointsByAddress;
  readonly clock: Clock;
  readonly log: Log;
  /** A claim may have succeeded unseen: free what the handle holds later. */
  readonly onUnknownClaim: (handle: string, block: Cidr) => void;
  /** An address that Docker will never release could not be freed now. */
  readonly rememberRelease: (release: ForgottenRelease) => void;
  /** 16 random bytes; tests may pass their own. */
  readonly random?: () => Buffer;
}
