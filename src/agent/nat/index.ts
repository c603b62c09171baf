export * from './docker-user.js';
export * from './render-nat.js';
