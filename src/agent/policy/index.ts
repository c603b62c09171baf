export { FROM_WORKLOAD, TO_WORKLOAD } from './rule-names.js';
export { LAYOUT_CHAIN } from './base-chains.js';
export * from './policy.js';
export * from './ports.js';
export type { EndpointFacts } from './selector-members.js';
