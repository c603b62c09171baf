import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkScope } from './config/index.js';

/** While networks exist their scope is on file: the next start must not answer another one. */
export function keepScope(stateDir: string, scope: NetworkScope, networks: number): void {
  const path = scopeFile(stateDir);
  if (networks === 0) rmSync(path, { force: true });
  else if (!existsSync(path)) writeFileSync(path, scope, { mode: 0o600 });
}

/** Where `keepScope` writes. */
export function scopeFile(stateDir: string): string {
  return join(stateDir, 'network-scope');
}
