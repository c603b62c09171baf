export * from './docker-user.js';
export * from './firewalld.js';
export * from './port-holder.js';
export * from './published-ports.js';
export * from './render-nat.js';
