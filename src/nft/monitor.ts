import { sleep } from '../base/abort.js';
import { backoff } from '../base/backoff.js';
import type { Log } from '../base/log.js';
import { subscribeToChanges } from './notifications.js';

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 10_000;

/**
 * Calls back after each transaction that did not come through our own ports. Also once when it begins
 * to listen, and when notifications were lost: something may have changed unheard.
 */
export function monitorRuleset(
  log: Log,
  isOurs: (port: number) => boolean,
  onForeignChange: (tables?: ReadonlySet<string>) => void,
): { close(): void } {
  const stop = new AbortController();
  const tell = (tables?: ReadonlySet<string>): void => {
    if (stop.signal.aborted) return;
    try {
      onForeignChange(tables);
    } catch (error) {
      log.error({ err: error }, 'a listener of rule set changes failed');
    }
  };
  void keepSubscribed(log, isOurs, tell, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) log.error({ err: error }, 'the rule set monitor ended');
  });
  return { close: () => stop.abort() };
}

async function keepSubscribed(
  log: Log,
  isOurs: (port: number) => boolean,
  tell: (tables?: ReadonlySet<string>) => void,
  stop: AbortSignal,
): Promise<void> {
  let pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
  while (!stop.aborted) {
    try {
      await subscribeToChanges({
        stop,
        onJoined: () => {
          pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
          tell();
        },
        onChange: (port, tables) => {
          if (!isOurs(port)) tell(tables);
        },
      });
    } catch (error) {
      log.info({ err: error }, 'rule set notifications were missed');
      await sleep(pauses.next().value, stop);
    }
  }
}
