export { errnoOf } from './errno.js';
export { createKernelNetlink, type KernelNetlinkOptions } from './kernel.js';
export { asListed, routeKey } from './listed-route.js';
export * from './memory.js';
export * from './port.js';
export { readSysctl, writeSysctl } from './sysctl.js';
