import type { RunResult } from '../../test/fixtures/lab-host.js';

/** A Docker host with the daemon running, for the time of the demonstration. */
export interface Stage {
  /** One line about where the containers run. */
  readonly description: string;
  readonly image: string;
  docker(...args: readonly string[]): Promise<RunResult>;
  calicoctl(...args: readonly string[]): Promise<RunResult>;
  daemonLog(): string;
  /** What a user types in front of `docker` and `calicoctl` in another terminal. */
  readonly prefix: string;
  /** Settings for `calicoctl` in another terminal. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes everything down; returns what could not be removed, one line each. */
  stop(): Promise<readonly string[]>;
}
