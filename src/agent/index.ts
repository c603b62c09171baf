export { createAgent } from './create-agent.js';
export { findFelix } from './find-felix.js';
export type { HostConnections, Insight } from './insight.js';
export type { PolicyTotal } from './policy-counters.js';
export type {
  Agent,
  AgentMeter,
  AgentOptions,
  AgentSettings,
  BgpHostSettings,
  SyncerFactory,
} from './ports.js';
export type { AgentStatus, Decision, DecisionReason } from './status.js';
