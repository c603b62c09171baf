import { messageOf, sleep, type Log } from './base/index.js';
import { loadLibc } from './netlink/index.js';

/** How often it is looked at, in milliseconds. */
const EVERY_MS = 10_000;
/** Growth of resident memory since the last look that is worth the work, in bytes. */
const WORTH = 4 * 1024 * 1024;

/**
 * Gives back to the kernel what the C library keeps for itself: after 4,000 starts it held 58 MB of
 * which 3.4 were in use. Ends with the signal.
 */
export async function returnMemory(signal: AbortSignal, log: Log): Promise<void> {
  let before = 0;
  try {
    for (;;) {
      await sleep(EVERY_MS, signal);
      const now = process.memoryUsage.rss();
      before = Math.min(before, now);
      if (now - before < WORTH) continue;
      await (await loadLibc()).trim();
      before = process.memoryUsage.rss();
    }
  } catch (error) {
    if (!signal.aborted)
      log.info({ reason: messageOf(error) }, 'free memory stays with the process');
  }
}
