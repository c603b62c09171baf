import { readFile } from 'node:fs/promises';
import { askBird, watchBird } from '../../bird/index.js';
import {
  Fault,
  isFault,
  messageOf,
  orAbort,
  sleep,
  startDetached,
  type Log,
} from '../../base/index.js';
import type { BirdFiles } from './bird-files.js';
import { readIfThere } from './bird-files.js';
import type { Exec } from './bird-program.js';

export interface BirdInstanceOptions {
  readonly files: BirdFiles;
  readonly exec: Exec;
  readonly log: Log;
  /** The BIRD that ran is gone. */
  readonly onGone: () => void;
}

const CHECKED = 20;
const FIRST_ERROR = 8000;
const START_MS = 5000;

/** Our own BIRD process: started, taken over from an earlier life of this daemon, told what to do. */
export class BirdInstance {
  readonly #options: BirdInstanceOptions;
  #watch: { readonly close: () => void } | undefined;

  constructor(options: BirdInstanceOptions) {
    this.#options = options;
  }

  /** True when our BIRD answers; one that is not ours is `refused`. */
  async running(): Promise<boolean> {
    if (this.#watch !== undefined) return true;
    const { files, onGone } = this.#options;
    let watch: { readonly close: () => void };
    try {
      watch = await watchBird(files.control, () => {
        this.#watch = undefined;
        onGone();
      });
    } catch (error) {
      if (isFault(error, 'unavailable')) return false;
      throw error;
    }
    if (!(await isOurs(files))) {
      watch.close();
      const message = `another BIRD than ours answers at ${files.control}: stop it (calico-node perhaps), or set networkingBackend: none`;
      throw new Fault('refused', message, { reason: 'foreign-bird' });
    }
    this.#watch = watch;
    return true;
  }

  /** What is wrong with the candidate, by BIRD's own reader; undefined when it is accepted. */
  async refusal(program: string, alive: boolean): Promise<string | undefined> {
    const { files, exec } = this.#options;
    if (alive) {
      const reply = await askBird(files.control, `configure check "${files.candidate}"`);
      if (reply.code === CHECKED) return undefined;
      return reply.lines.at(-1)?.text ?? `code ${reply.code}`;
    }
    const { status, stderr } = await exec(program, ['-p', '-c', files.candidate]);
    return status === 0 ? undefined : (stderr.trim().split('\n').at(-1) ?? `status ${status}`);
  }

  /** Makes the running BIRD read its configuration; sessions that stay as they are are not touched. */
  async configure(): Promise<void> {
    const reply = await askBird(this.#options.files.control, 'configure');
    if (reply.code < FIRST_ERROR) return;
    const said = reply.lines.at(-1)?.text ?? String(reply.code);
    throw new Fault('unavailable', `BIRD did not take its configuration: ${said}`);
  }

  /**
   * Starts BIRD. `recover`: the kernel has its routes still; they are kept until the sessions are back.
   * Without routes that would only delay the first ones (node-agent §2.10).
   */
  async start(program: string, recover: boolean, signal: AbortSignal): Promise<void> {
    const { files, log } = this.#options;
    const args = ['-f', '-c', files.configuration, '-s', files.control, '-P', files.pid];
    const { pid, ended } = await startDetached(program, recover ? [...args, '-R'] : args);
    const gone = ended.then((how) => {
      throw new Fault('unavailable', `BIRD ended at once (${how}); see ${files.log}`);
    });
    // Whether it ends later is what the control socket tells.
    gone.catch(() => undefined);
    await Promise.race([gone, orAbort(this.#answering(), signal, 'the start of BIRD')]);
    log.info({ pid, recover }, 'BIRD started');
  }

  async #answering(): Promise<void> {
    for (let waited = 0; waited < START_MS; waited += 20) {
      if (await this.running()) return;
      await sleep(20);
    }
    throw new Fault('timeout', `BIRD does not listen at ${this.#options.files.control}`);
  }

  /** Ends BIRD after it has taken its routes out of kernel and peers; `configuration` must say nothing else. */
  async end(): Promise<void> {
    const { files, log } = this.#options;
    this.close();
    try {
      await askBird(files.control, 'down');
    } catch (error) {
      // It may be gone before it has answered.
      if (!isFault(error, 'unavailable')) throw error;
    }
    log.info('BIRD was stopped: there is nobody to speak BGP to');
  }

  /** Leaves BIRD alone: it goes on without us. */
  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }
}

/** The process that our BIRD wrote down lives, and runs on our configuration. */
async function isOurs(files: BirdFiles): Promise<boolean> {
  const pid = Number((await readIfThere(files.pid))?.trim());
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    return words.includes(files.configuration);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(error))) return false;
    throw new Fault('unavailable', `cannot look at process ${pid}: ${messageOf(error)}`);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
