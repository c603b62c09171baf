export type { TunnelProblem, TunnelReason } from './desired-device.js';
export * from './mtu.js';
export * from './render-tunnels.js';
export * from './tunnel-keeper.js';
export { vtepOf, Vteps, vxlanMacOf, type Vtep } from './vteps.js';
