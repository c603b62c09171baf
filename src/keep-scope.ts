import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from './base/index.js';
import { refuseChangedScope, type FoundScope, type NetworkScope } from './config/index.js';

/**
 * The scope that Docker is told. An engine is started after this daemon as a rule, and it is its command line that
 * says whether it has a cluster store: so it is looked at again whenever Docker asks. While networks exist their
 * scope is on file, and no other one is answered.
 */
export class ScopeKeeper {
  readonly #path: string;
  readonly #find: () => FoundScope;
  readonly #log: Log;
  #refused = false;

  /** Throws `refused` when the scope would change under existing networks. */
  constructor(stateDir: string, find: () => FoundScope, log: Log) {
    this.#path = join(stateDir, 'network-scope');
    this.#find = find;
    this.#log = log;
    refuseChangedScope(find(), this.#locked());
  }

  current(): NetworkScope {
    const found = this.#find();
    const locked = this.#locked();
    if (locked === undefined) return found.scope;
    try {
      refuseChangedScope(found, locked);
    } catch (error) {
      if (!this.#refused) this.#log.error({ err: error }, 'the scope stays as it was');
      this.#refused = true;
    }
    return locked;
  }

  /** This host has so many networks now. */
  keep(networks: number): void {
    if (networks === 0) rmSync(this.#path, { force: true });
    else if (!existsSync(this.#path)) writeFileSync(this.#path, this.current(), { mode: 0o600 });
  }

  #locked(): NetworkScope | undefined {
    const text = existsSync(this.#path) ? readFileSync(this.#path, 'utf8').trim() : '';
    return text === 'local' || text === 'global' ? text : undefined;
  }
}
