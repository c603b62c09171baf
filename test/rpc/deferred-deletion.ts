import t from 'tap';
import { Fault, NAME_CONTESTED, silentLog } from '../../src/base/index.js';
import { deleteOrDefer } from '../../src/rpc/index.js';

async function outcome(
  work: () => Promise<void>,
  isFinal?: (fault: Fault) => boolean,
): Promise<string> {
  let deferred = false;
  const deletion = {
    ...{ boundMs: 100, signal: new AbortController().signal, log: silentLog, work },
    defer: async () => void (deferred = true),
    ...(isFinal === undefined ? {} : { isFinal }),
  };
  const told = await deleteOrDefer(deletion).then(
    () => 'done',
    (error: unknown) => String(error),
  );
  return deferred ? 'deferred' : told;
}

const fails = (fault: Fault) => (): Promise<void> => Promise.reject(fault);

t.test('what was done is done, what could not be is written down', async (t) => {
  t.equal(await outcome(async () => undefined), 'done');
  t.equal(await outcome(fails(new Fault('unavailable', 'no store'))), 'deferred');
  // The bound keeps no process, so somebody else has to.
  const awake = setInterval(() => undefined, 1_000);
  t.equal(await outcome(() => new Promise(() => undefined)), 'deferred', 'within the bound');
  clearInterval(awake);
  const hasNoOther = fails(new Fault('invalid', 'no address'));
  t.match(await outcome(hasNoOther, ({ kind }) => kind === 'invalid'), /no address/);
  t.equal(await outcome(hasNoOther, () => false), 'deferred');
});

t.test('another machine of this name has it to do, and nobody here ever', async (t) => {
  const rival = new Fault('refused', 'node1 is held by another machine', {
    reason: NAME_CONTESTED,
  });
  t.equal(await outcome(fails(rival)), 'done');
});
