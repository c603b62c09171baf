export * from './docker-user.js';
export * from './firewalld.js';
export * from './render-nat.js';
