export * from './desired-routes.js';
export * from './host-settings.js';
export * from './proc-sys.js';
export * from './route-keeper.js';
export type { RoutedEndpoint } from './wanted-routes.js';
