export * from './applied.js';
export * from './decision.js';
export * from './endpoint-verdict.js';
export * from './host-endpoints.js';
export * from './host-verdict.js';
export * from './members.js';
export * from './trace.js';
export * from './world.js';
