import { askBird, showProtocols, sessionsOf, type BirdSession } from '../../bird/index.js';
import { Fault, isFault, messageOf, sleep, type Log } from '../../base/index.js';
import {
  birdFiles,
  listIncludes,
  moveIntoPlace,
  readIfThere,
  writeCandidate,
  type BirdFiles,
} from './bird-files.js';
import { BirdInstance } from './bird-instance.js';
import { findBird, type BirdProgram, type Exec } from './bird-program.js';
import type { BgpNote } from './facts.js';
import { renderNothing, withIncludes } from './render-config.js';

/** What BIRD is to do on this host. */
export type WantedBgp =
  /** Speak; files of the operator are added to the text. */
  | { readonly type: 'speak'; readonly text: string }
  /** Be silent, for this reason. */
  | { readonly type: 'silent'; readonly why: string }
  /** The cluster is not known yet: go on with what was wanted before. */
  | { readonly type: 'as-before' };

export interface BgpStatus {
  readonly state: 'off' | 'waiting' | 'running' | 'failed';
  /** Why it is off, or what failed. */
  readonly reason?: string;
  readonly version?: string;
  readonly sessions: readonly BirdSession[];
}

/** BIRD's words for a BGP port that another program has. */
export const PORT_TAKEN = 'No listening socket';

/** Longer than BIRD waits for its peers after a restart. */
const WITHDRAWN_MS = 20_000;

export interface BirdKeeperOptions {
  /** The folder of BIRD's configuration, control socket and log. */
  readonly folder: string;
  /** The operator's own configuration files. */
  readonly includeFolder: string;
  readonly log: Log;
  readonly exec: Exec;
  /** The kernel holds routes that a BIRD put there. */
  readonly hasBirdRoutes: () => Promise<boolean>;
  readonly onGone: () => void;
}

/**
 * Keeps our BIRD as wanted: checked configurations only, no restart where a reconfiguration does, and a
 * dead one started again without losing routes. `apply` is to be repeated when it fails.
 */
export class BirdKeeper {
  readonly #options: BirdKeeperOptions;
  readonly #instance: BirdInstance;
  readonly files: BirdFiles;
  #program: BirdProgram | undefined;
  /** What the running BIRD was told last; undefined when that is not known. */
  #told: string | undefined;
  #notes: readonly BgpNote[] = [];
  #status: BgpStatus = { state: 'waiting', sessions: [] };

  constructor(options: BirdKeeperOptions) {
    this.#options = options;
    this.files = birdFiles(options.folder);
    this.#instance = new BirdInstance({ ...options, files: this.files });
  }

  get status(): BgpStatus {
    return this.#status;
  }

  /** Files of the operator that are left out. */
  get notes(): readonly BgpNote[] {
    return this.#notes;
  }

  async apply(wanted: WantedBgp, signal: AbortSignal): Promise<void> {
    try {
      await this.#apply(wanted, signal);
    } catch (error) {
      this.#status = { ...this.#status, state: 'failed', reason: messageOf(error) };
      throw error;
    }
  }

  /** BIRD goes on. */
  close(): void {
    this.#instance.close();
  }

  async #apply(wanted: WantedBgp, signal: AbortSignal): Promise<void> {
    // A host where nothing is wanted need not have the program.
    const alive = await this.#instance.running();
    if (!alive) this.#told = undefined;
    if (wanted.type === 'silent') return this.#silence(alive, wanted.why, signal);
    if (wanted.type === 'as-before' && !alive && !(await this.#hasConfiguration())) return;
    const program = await this.#findProgram();
    if ('missing' in program) {
      this.#status = { state: 'off', reason: program.missing, sessions: [] };
      return;
    }
    if (wanted.type === 'speak') await this.#tell(program.path, wanted.text, alive);
    if (!alive) {
      const recover = await this.#options.hasBirdRoutes();
      await this.#instance.start(program.path, recover, signal);
    }
    await this.#look(program.version);
  }

  async #findProgram(): Promise<BirdProgram> {
    if (this.#program === undefined || 'missing' in this.#program) {
      this.#program = await findBird(this.#options.exec);
    }
    return this.#program;
  }

  async #hasConfiguration(): Promise<boolean> {
    return (await readIfThere(this.files.configuration)) !== undefined;
  }

  /** Puts a checked configuration into place, when it is another one; a living BIRD is told. */
  async #tell(program: string, text: string, alive: boolean): Promise<void> {
    const includes = await listIncludes(this.#options.includeFolder);
    const wanted = [text, ...includes.map(({ stamp }) => stamp)].join('\n');
    if (alive && this.#told === wanted) return;
    const paths = includes.map(({ path }) => path);
    const usable = await this.#usableIncludes(program, text, paths, alive);
    await writeCandidate(this.files, withIncludes(text, usable));
    const refusal = await this.#instance.refusal(program, alive);
    if (refusal !== undefined) return this.#keepOld(refusal, alive);
    await moveIntoPlace(this.files);
    if (alive) await this.#instance.configure();
    this.#told = wanted;
  }

  /** The old file stays, and a BIRD that is not running can still start on it. */
  async #keepOld(refusal: string, alive: boolean): Promise<void> {
    const message = `BIRD refuses its new configuration, the old one stays: ${refusal}`;
    const fault = new Fault('invalid', message, { reason: 'configuration-refused' });
    if (alive || !(await this.#hasConfiguration())) throw fault;
    this.#options.log.error({ reason: refusal }, 'BIRD refuses its new configuration');
  }

  /** Those of the operator's files that BIRD can read; each other is named in `notes`. */
  async #usableIncludes(
    program: string,
    text: string,
    paths: readonly string[],
    alive: boolean,
  ): Promise<readonly string[]> {
    this.#notes = [];
    const check = async (includes: readonly string[]): Promise<string | undefined> => {
      await writeCandidate(this.files, withIncludes(text, includes));
      return this.#instance.refusal(program, alive);
    };
    if (paths.length === 0 || (await check(paths)) === undefined) return paths;
    // What is wrong without them is no fault of theirs.
    if ((await check([])) !== undefined) return [];
    const usable: string[] = [];
    const notes: BgpNote[] = [];
    for (const path of paths) {
      const refusal = await check([...usable, path]);
      if (refusal === undefined) usable.push(path);
      else notes.push({ reason: 'bgp-include-refused', subject: path, details: refusal });
    }
    this.#notes = notes;
    return usable;
  }

  async #silence(alive: boolean, why: string, signal: AbortSignal): Promise<void> {
    this.#notes = [];
    if (alive) {
      await writeCandidate(this.files, renderNothing(this.files.log));
      await moveIntoPlace(this.files);
      await this.#instance.configure();
      await this.#withdrawn(signal);
      await this.#instance.end();
      this.#told = undefined;
    }
    this.#status = { state: 'off', reason: why, sessions: [] };
  }

  /**
   * Routes leave the kernel after the sessions; while BIRD recovers from a restart only when it gives up waiting. It
   * must not end before, for what it leaves behind stays.
   */
  async #withdrawn(signal: AbortSignal): Promise<void> {
    for (let waited = 0; waited < WITHDRAWN_MS; waited += 200) {
      if (!(await this.#options.hasBirdRoutes())) return;
      await sleep(200, signal);
    }
    this.#options.log.warn(
      'routes of BIRD stay in the kernel: another BIRD may have put them there',
    );
  }

  async #look(version: string): Promise<void> {
    try {
      const sessions = sessionsOf(await showProtocols(this.files.control));
      this.#report(sessions);
      await this.#revive(sessions);
      this.#status = { state: 'running', version, sessions };
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new Fault('unavailable', `BIRD's state cannot be read: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** A session that found its port taken gives up for good; whoever had the port may be gone by now. */
  async #revive(sessions: readonly BirdSession[]): Promise<void> {
    for (const { name, state, info } of sessions) {
      if (state !== 'down' || !info.includes(PORT_TAKEN)) continue;
      await askBird(this.files.control, `enable ${name}`);
    }
  }

  /** A session that came or went is worth a line. */
  #report(sessions: readonly BirdSession[]): void {
    const before = new Map(this.#status.sessions.map((one) => [one.name, one.info]));
    for (const { name, peer, info } of sessions) {
      const was = before.get(name) === 'Established';
      const is = info === 'Established';
      if (is && !was) this.#options.log.info({ session: name, peer }, 'BGP session established');
      if (was && !is) this.#options.log.warn({ session: name, peer, info }, 'BGP session lost');
    }
  }
}
