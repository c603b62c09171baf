export * from './exchanged.js';
export * from './json.js';
export * from './keys.js';
export * from './sentinel-store.js';
export * from './store.js';
export * from './syncer.js';
export * from './transaction.js';
