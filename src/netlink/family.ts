import type { Family } from '../model/index.js';

export const AF_INET = 2;
export const AF_INET6 = 10;

export function addressFamilyOf(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}
