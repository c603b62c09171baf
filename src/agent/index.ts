export { createAgent } from './create-agent.js';
export { findFelix } from './find-felix.js';
export type { CountedEndpoint, HostConnections, Insight } from './insight.js';
export type { CountedList, PolicyTotal } from './policy-counters.js';
export type {
  Agent,
  AgentMeter,
  AgentOptions,
  AgentSettings,
  BgpHostSettings,
  SyncerFactory,
} from './ports.js';
export type { AgentStatus, Decision, DecisionReason } from './status.js';
