export { Allocator } from './allocator.js';
export type { AddressRequest, AllocatorOptions } from './allocator-options.js';
export type { AddressLease, OwnAddress } from './own-addresses.js';
export { hasPool, type ClaimOutcome, type LiveAddress } from './claim-again.js';
export { Catalog } from './catalog.js';
export { blockOrder, describePools } from './pools.js';
export {
  describeHolder,
  endpointHandle,
  isEndpointHandle,
  isOurs,
  isPoolHandle,
  poolHandle,
  type Host,
} from './owner.js';
export { parsePoolId, makePoolId, type PoolId } from './pool-id.js';
export { createIpamMethods, type IpamCore, type IpamPluginOptions } from './plugin.js';
export { PoolAddressLedger } from './pool-address-ledger.js';
export { PoolUseBook } from './pool-uses.js';
export { createPoolRequests, GLOBAL_ADDRESS_SPACE, LOCAL_ADDRESS_SPACE } from './request-pool.js';
export type { ReleaseOutcome } from './release.js';
export type {
  AllocationGate,
  BoundEndpoint,
  EndpointsByAddress,
  ForgottenRelease,
  PendingReleases,
  PoolUses,
} from './ports.js';
