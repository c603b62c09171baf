import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { abortFault, deadline } from '../../src/base/index.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What the signal of `make` fires with; nothing but its listener holds on to it. */
function fired(make: () => AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const signal = make();
    signal.addEventListener('abort', () => resolve(abortFault(signal).kind), { once: true });
  });
}

t.test('a deadline survives the garbage collector, nested ones too', async (t) => {
  const plain = fired(() => deadline(120));
  const nested = fired(() => deadline(60_000, deadline(120)));
  const combined = fired(() => AbortSignal.any([deadline(120), new AbortController().signal]));
  for (let round = 0; round < 5; round += 1) {
    collectGarbage();
    await delay(10);
  }
  // Deadlines do not keep the process; this one has to.
  const enough = new AbortController();
  const lost = delay(5000, 'lost', { signal: enough.signal });
  lost.catch(() => undefined);
  for (const [name, signal] of Object.entries({ plain, nested, combined })) {
    t.equal(await Promise.race([signal, lost]), 'timeout', name);
  }
  enough.abort();
});

t.test('whichever comes first decides', async (t) => {
  const parent = new AbortController();
  const signal = deadline(60_000, undefined, parent.signal);
  t.equal(signal.aborted, false);
  parent.abort(new Error('enough'));
  t.equal(signal.aborted, true);
  t.match(abortFault(signal), { kind: 'unavailable' });
  t.equal(deadline(60_000, parent.signal).aborted, true, 'a parent that fired before');
});
