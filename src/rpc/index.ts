export {
  createPluginServer,
  type CallObserver,
  type PluginMethod,
  type PluginServer,
  type PluginServerOptions,
} from './plugin-server.js';
export { type ErrorField } from './reply.js';
