import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Small records in a folder that lives as long as the machine is up (a tmpfs), one file each. Writes
 * are synchronous: they take some microseconds there and a call must not answer before its record exists.
 */
export class JsonFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  write(name: string, value: unknown): void {
    const path = this.#path(name);
    writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  remove(name: string): void {
    rmSync(this.#path(name), { force: true });
  }

  /** Every readable record; a torn or foreign file is passed over. */
  all(): ReadonlyMap<string, unknown> {
    const found = new Map<string, unknown>();
    for (const file of readdirSync(this.#directory)) {
      if (!file.endsWith('.json')) continue;
      try {
        found.set(
          file.slice(0, -'.json'.length),
          JSON.parse(readFileSync(join(this.#directory, file), 'utf8')),
        );
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
      }
    }
    return found;
  }

  #path(name: string): string {
    return join(this.#directory, `${name}.json`);
  }
}
