export { deleteOrDefer } from './deferred-deletion.js';
export {
  checkedMethod,
  constantMethod,
  lookedUpMethod,
  type PluginMethod,
} from './plugin-method.js';
export {
  createPluginServer,
  type CallObserver,
  type PluginServer,
  type PluginServerOptions,
} from './plugin-server.js';
export { type ErrorField } from './reply.js';
