import { Fault } from '../base/fault.js';

export type Mode = 'apply' | 'check' | 'list';

/** How one text ended in nft. */
export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
}

/** One way to have nft run a text; never called again before its last promise settled. */
export interface Engine {
  readonly implementation: 'library' | 'command';
  run(commands: string, mode: Mode): Promise<Outcome>;
  /** Whether a change that came through this netlink port (socket address) was made by `run`. */
  owns(port: number): boolean;
  close(): Promise<void>;
}

const MOST_TEXT = 4096;
const MOST_LINE = 200;
const DENIED = /operation not permitted|permission denied|cache initialization failed/i;

const reasons: readonly (readonly [RegExp, string])[] = [
  [/no such file or directory|does not exist/i, 'no-such-object'],
  [/file exists/i, 'object-exists'],
  [/resource busy/i, 'object-in-use'],
];

/**
 * The fault for a text that nft did not take. `reason` tells apart what callers may act upon:
 * `no-such-object`, `object-exists`, `object-in-use`, otherwise `nft-refused`.
 */
export function refusal(commands: string, error: string): Fault {
  const lines = error.split('\n').filter((line) => line.trim() !== '');
  const at = Math.max(
    0,
    lines.findIndex((line) => line.includes('Error:')),
  );
  // The command says where in its input; the library, given a buffer, does not.
  const message = (lines[at] ?? 'nft failed without a word').replace(/^\S+?:\d+:\d+-\d+: /, '');
  const details = { commands: shortened(commands), line: lines[at + 1]?.slice(0, MOST_LINE) };
  if (DENIED.test(error))
    return new Fault('unavailable', message, { reason: 'not-permitted', details });
  const reason = reasons.find(([pattern]) => pattern.test(message))?.[1] ?? 'nft-refused';
  return new Fault('invalid', message.slice(0, MOST_LINE), { reason, details });
}

function shortened(text: string): string {
  return text.length <= MOST_TEXT
    ? text
    : `${text.slice(0, MOST_TEXT)} … (${text.length} characters)`;
}
