export { attachContainer, detachContainer, type AttachParts } from './attach.js';
export type { InventoryListener, NetworkChange } from './catalog.js';
export * from './endpoint-metadata.js';
export type { DockerEndpoint, DockerNetwork, EngineIdentity } from './engine-records.js';
export {
  createDockerInventory,
  type DockerInventory,
  type DockerInventoryOptions,
} from './inventory.js';
export type { InventoryState, InventoryStatus } from './inventory-status.js';
export type { DockerLook } from './look.js';
export * from './metadata-writer.js';
export { isDriver } from './ours.js';
export * from './start-again.js';
