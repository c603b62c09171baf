import { destination, pino, stdTimeFunctions, type Logger } from 'pino';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Longest time a line waits; the end of the process writes what is left. */
const FLUSH_MS = 100;

/** One JSON object per line on standard error. */
export function createLog(level: LogLevel): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: hideSecrets },
    },
    // Lines are gathered for a moment: a write of its own for each of ten lines a start would cost more than the call.
    destination({ dest: 2, sync: false, minLength: 4096, periodicFlush: FLUSH_MS }),
  );
}

const SECRET = /password|secret|token|etcdkey$/i;

/**
 * The line without secrets, also one level down. pino's own redaction copies every object of every line for that,
 * which was a tenth of all memory that a call took.
 */
export function hideSecrets(line: Readonly<Record<string, unknown>>): Record<string, unknown> {
  let shown: Record<string, unknown> = line;
  for (const key of Object.keys(line)) {
    const value = line[key];
    const hidden = SECRET.test(key) && value !== undefined ? '(hidden)' : hideBelow(value);
    if (hidden !== value) shown = { ...shown, [key]: hidden };
  }
  return shown;
}

function hideBelow(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  if (!Object.keys(value).some((key) => SECRET.test(key))) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, SECRET.test(key) ? '(hidden)' : inner]),
  );
}

export const silentLog: Log = pino({ level: 'silent' });
