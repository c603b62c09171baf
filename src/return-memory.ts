import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { messageOf, sleep, type Log } from './base/index.js';
import { loadLibc } from './netlink/index.js';

/** How often it is looked at, in milliseconds. */
const EVERY_MS = 10_000;
/** Growth of resident memory since the last look that is worth the work, in bytes. */
const WORTH = 4 * 1024 * 1024;

/** Growth of V8's heap since its last whole collection that is worth another, in bytes. */
const WORTH_COLLECTING = 24 * 1024 * 1024;
/** Of one processor: with less to do than this, nobody waits for us. */
const IDLE = 0.03;

/**
 * Gives back to the kernel what the C library keeps for itself: after 4,000 starts it held 58 MB of which 3.4 were in
 * use. And what V8 keeps: while nothing is allocated it collects nothing, and a host that came to rest after a start with
 * 4,000 endpoints held 100 MiB for nobody. Ends with the signal.
 */
export async function returnMemory(signal: AbortSignal, log: Log): Promise<void> {
  let before = 0;
  let kept = 0;
  try {
    for (;;) {
      const busy = process.cpuUsage();
      await sleep(EVERY_MS, signal);
      const { user, system } = process.cpuUsage(busy);
      const idle = (user + system) / 1000 < IDLE * EVERY_MS;
      const collects = idle && process.memoryUsage().heapTotal - kept > WORTH_COLLECTING;
      if (collects) {
        collector()();
        kept = process.memoryUsage().heapTotal;
      }
      const now = process.memoryUsage.rss();
      before = Math.min(before, now);
      if (!collects && now - before < WORTH) continue;
      await (await loadLibc()).trim();
      before = process.memoryUsage.rss();
    }
  } catch (error) {
    if (!signal.aborted)
      log.info({ reason: messageOf(error) }, 'free memory stays with the process');
  }
}

/** V8's own, which a flag makes visible in contexts that are made later. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc !== 'function') throw new Error('V8 has no gc function');
  return () => void Reflect.apply(gc, undefined, []);
}
