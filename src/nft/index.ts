export { createNft, type NftOptions } from './create.js';
export * from './port.js';
