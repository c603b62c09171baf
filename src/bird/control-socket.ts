import { connect, type Socket } from 'node:net';
import { Fault } from '../base/index.js';

/** One line of an answer; a line that begins with a space belongs to the code before it. */
export interface BirdLine {
  readonly code: number;
  readonly text: string;
}

/** What BIRD answers to one command; `code` is that of its last line (node-agent §2.10). */
export interface BirdReply {
  readonly code: number;
  readonly lines: readonly BirdLine[];
}

/** BIRD answers at once; one that does not is stuck. */
const ANSWER_MS = 2000;

/**
 * Sends one command to the BIRD that listens at `path` and returns its answer, whatever it says. Throws
 * `unavailable` when nobody listens and `timeout` when nobody answers.
 */
export async function askBird(path: string, command: string): Promise<BirdReply> {
  const connection = new Connection(path);
  try {
    await connection.next();
    connection.send(command);
    return await connection.next();
  } finally {
    connection.close();
  }
}

/**
 * Settles when BIRD listens; `onGone` is called once, when that BIRD ends. Throws as `askBird`.
 */
export async function watchBird(
  path: string,
  onGone: () => void,
): Promise<{ readonly close: () => void }> {
  const connection = new Connection(path);
  try {
    await connection.next();
  } catch (error) {
    connection.close();
    throw error;
  }
  connection.onEnd(onGone);
  return { close: () => connection.close() };
}

/** A connection to the control socket: a banner, then an answer to each command. */
class Connection {
  readonly #path: string;
  readonly #socket: Socket;
  #rest = '';
  #lines: BirdLine[] = [];
  readonly #replies: BirdReply[] = [];
  #settle: (() => void) | undefined;
  #failure: Fault | undefined;
  #onEnd: (() => void) | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#socket = connect(path);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => this.#take(text));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#fail(new Fault('unavailable', `BIRD does not listen at ${path}: ${error.code ?? ''}`));
    });
    this.#socket.on('close', () => {
      this.#fail(new Fault('unavailable', `BIRD at ${path} ended the connection`));
      const tell = this.#onEnd;
      this.#onEnd = undefined;
      tell?.();
    });
  }

  send(command: string): void {
    this.#socket.write(`${command}\n`);
  }

  /** The next whole answer; the banner is the first. */
  async next(): Promise<BirdReply> {
    const timer = setTimeout(() => {
      const message = `BIRD at ${this.#path} does not answer; if it hangs, end it: it is started again`;
      this.#fail(new Fault('timeout', message));
    }, ANSWER_MS);
    try {
      for (;;) {
        const reply = this.#replies.shift();
        if (reply !== undefined) return reply;
        if (this.#failure !== undefined) throw this.#failure;
        await new Promise<void>((resolve) => (this.#settle = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  onEnd(tell: () => void): void {
    this.#onEnd = tell;
    // It is there to be told of the end, not to keep the process.
    this.#socket.unref();
    if (this.#socket.closed) {
      this.#onEnd = undefined;
      tell();
    }
  }

  close(): void {
    this.#onEnd = undefined;
    this.#socket.destroy();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    this.#settle?.();
  }

  #line(line: string): void {
    const match = /^(\d{4})([ -])(.*)$/.exec(line);
    if (match === null) {
      const code = this.#lines.at(-1)?.code ?? 0;
      this.#lines.push({ code, text: line.replace(/^ /, '') });
      return;
    }
    const code = Number(match[1]);
    this.#lines.push({ code, text: match[3] ?? '' });
    if (match[2] === '-') return;
    this.#replies.push({ code, lines: this.#lines });
    this.#lines = [];
  }

  #fail(failure: Fault): void {
    this.#failure ??= failure;
    this.#settle?.();
  }
}
