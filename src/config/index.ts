export * from './check.js';
export * from './daemon-config.js';
export * from './datastore-config.js';
export * from './discovery.js';
export * from './inputs.js';
export * from './node-name.js';
export { daemonSchema, flagOf, keys, variableOf, type Key, type Settings } from './schema.js';
export * from './store-choice.js';
export { DAEMON_FILE, ERU_FILE, type ConfigProblem } from './values.js';
