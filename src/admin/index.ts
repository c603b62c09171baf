export { createAdminClient, type AdminClient } from './client.js';
export type {
  AddContainerAnswer,
  AddContainerRequest,
  Containers,
  RemoveContainerAnswer,
  RemoveContainerRequest,
} from './containers.js';
export { createAdminServer, type AdminServer, type AdminServerOptions } from './server.js';
export type {
  CountersAnswer,
  CountersRequest,
  FlowsAnswer,
  HostInsight,
  WireFlow,
} from './host-insight.js';
