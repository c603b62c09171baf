export { createAdminClient, type AdminClient } from './client.js';
export { createAdminServer, type AdminServer, type AdminServerOptions } from './server.js';
