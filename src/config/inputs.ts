import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Everything outside that settings are read from; tests pass their own. */
export interface ConfigInputs {
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file, undefined when it does not exist; other failures are thrown. */
  readonly readFile: (path: string) => string | undefined;
  /** The operating system's host name. */
  readonly osHostname: string;
}

/** The inputs of this process: the only place that reads its environment and host name. */
export function systemInputs(argv: readonly string[]): ConfigInputs {
  return { argv, env: process.env, readFile: readFileIfPresent, osHostname: hostname() };
}

export function readFileIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
