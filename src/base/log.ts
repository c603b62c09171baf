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
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['password', 'etcdPassword', '*.password', '*.etcdPassword', '*.etcdKey'],
        censor: '(hidden)',
      },
    },
    // Lines are gathered for a moment: a write of its own for each of ten lines a start would cost more than the call.
    destination({ dest: 2, sync: false, minLength: 4096, periodicFlush: FLUSH_MS }),
  );
}

export const silentLog: Log = pino({ level: 'silent' });
