export type { AddressConflict, ClaimReport } from './claim-again.js';
export { createDriverMethods, type DriverCore, type DriverPluginOptions } from './plugin.js';
export { HOST_ANNOTATION } from './create-endpoint.js';
export { Creations } from './creations.js';
export { EndpointBook } from './endpoint-book.js';
export type { EndpointSettings } from './context.js';
export type { EndpointChange } from './endpoint-changes.js';
export { Endpoints } from './endpoints.js';
export { Networks } from './networks.js';
export { NetworkLedger } from './network-ledger.js';
export type { Network } from './network-record.js';
export { ProfileBook } from './profile-book.js';
export { Veths } from './veth.js';
export { WriteQueue } from './write-queue.js';
export type {
  AddressLease,
  AddressLeases,
  EndpointProgrammer,
  NetworkNames,
  PendingDeletions,
  PoolRequests,
} from './ports.js';
