import { destination, pino, stdTimeFunctions, type Logger } from 'pino';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

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
    destination({ dest: 2, sync: false }),
  );
}

export const silentLog: Log = pino({ level: 'silent' });
