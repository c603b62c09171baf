export * from './abort.js';
export * from './backoff.js';
export * from './clock.js';
export * from './exec.js';
export * from './fault.js';
export * from './invariant.js';
export * from './log.js';
export * from './unix-socket.js';
