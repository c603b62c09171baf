export { createEtcdStore, type EtcdStoreOptions } from './store.js';
export type { EtcdTlsOptions } from './tls.js';
