import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { failpoint } from './failpoint.js';
import { Fault, messageOf } from './fault.js';

/** A journal with fewer lines is never written anew. */
const FEW_LINES = 1000;
/** Lines per live record from which on it is. */
const SLACK = 4;

interface Line {
  readonly name: string;
  /** Absent when the record was removed. */
  readonly value?: unknown;
}

/**
 * Small records by name, in one file that lives as long as the machine is up (a tmpfs). A call must not answer
 * before its record exists, so each change is one synchronous write of one line at the end: some microseconds,
 * where a file for each record takes ten times that. A line that a kill or a full disk cut off counts as not written.
 */
export class RecordJournal {
  readonly #path: string;
  readonly #records = new Map<string, unknown>();
  #file: number | undefined;
  #lines = 0;
  /** The last line has no end. */
  #torn = false;

  /** Reads what is there; the file is made by the first write. */
  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const text = readIfThere(path);
    this.#torn = text !== '' && !text.endsWith('\n');
    for (const line of text.split('\n')) {
      this.#lines += 1;
      const { name, value } = parseLine(line) ?? {};
      if (name === undefined) continue;
      if (value === undefined) this.#records.delete(name);
      else this.#records.set(name, value);
    }
  }

  /** The records that there are now. */
  all(): ReadonlyMap<string, unknown> {
    return new Map(this.#records);
  }

  /** Fault `unavailable` when it could not be written; the record is then as it was. */
  write(name: string, value: unknown): void {
    this.#append({ name, value });
    this.#records.set(name, value);
    this.#shorten();
  }

  /** Removing what is not there is success. Faults as of `write`. */
  remove(name: string): void {
    if (!this.#records.has(name)) return;
    this.#append({ name });
    this.#records.delete(name);
    this.#shorten();
  }

  #append(line: Line): void {
    failpoint('journal.append:before');
    const text = Buffer.from(`${this.#torn ? '\n' : ''}${JSON.stringify(line)}\n`);
    try {
      this.#file ??= openSync(this.#path, 'a', 0o600);
      this.#torn = true;
      const written = writeSync(this.#file, text);
      if (written !== text.length) throw new Error(`${written} of ${text.length} bytes written`);
      this.#torn = false;
      this.#lines += 1;
      failpoint('journal.append:after');
    } catch (error) {
      throw new Fault('unavailable', `cannot write ${this.#path}: ${messageOf(error)}`, {
        reason: 'journal',
        cause: error,
      });
    }
  }

  /** Most lines tell of records that are gone: writes it anew, whole or not at all. */
  #shorten(): void {
    if (this.#lines < FEW_LINES || this.#lines < SLACK * this.#records.size) return;
    const lines = [...this.#records].map(([name, value]) => `${JSON.stringify({ name, value })}\n`);
    this.#lines = lines.length;
    const next = `${this.#path}.new`;
    try {
      writeFileSync(next, lines.join(''), { mode: 0o600 });
      renameSync(next, this.#path);
    } catch {
      // Too long is all that it is: what it says is right, and it is tried again some thousand lines later.
      rmSync(next, { force: true });
      return;
    }
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Undefined for a line that was cut off. */
function parseLine(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Partial<Line> | null;
    return typeof line?.name === 'string' ? { name: line.name, value: line.value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
