export { FROM_WORKLOAD, TO_WORKLOAD } from './rule-names.js';
export { LAYOUT_CHAIN } from './base-chains.js';
export type { LocalPolicy } from './local-endpoints.js';
export * from './policy.js';
export * from './ports.js';
export type { Owner as RuleOwner } from './rule-chains.js';
export type { EndpointFacts } from './selector-members.js';
