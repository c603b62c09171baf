export * from './json.js';
export * from './resource.js';
export * from './stored-cluster.js';
export * from './stored-ip-pool.js';
export * from './stored-node.js';
export * from './stored-profile.js';
export * from './stored-workload-endpoint.js';
