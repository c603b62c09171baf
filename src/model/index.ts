export * from './address.js';
export * from './cidr.js';
export * from './endpoint.js';
export * from './ip-pool.js';
export * from './names.js';
export * from './node.js';
export * from './profile.js';
