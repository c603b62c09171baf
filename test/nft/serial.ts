import t from 'tap';
import { silentLog } from '../../src/base/log.js';
import type { Engine, Mode, Outcome } from '../../src/nft/engine.js';
import { SerialNft } from '../../src/nft/serial.js';
import { faultOf } from '../fixtures/fault-of.js';

/** Writes down what it is asked to run; refuses texts with the word `wrong`. */
class Recorder implements Engine {
  readonly implementation = 'library';
  readonly ran: string[] = [];
  inFlight = 0;
  closed = 0;

  async run(commands: string, mode: Mode): Promise<Outcome> {
    this.inFlight += 1;
    if (this.inFlight > 1) throw new Error('two texts at a time');
    this.ran.push(`${mode} ${commands.replaceAll('\n', ';')}`);
    await new Promise(setImmediate);
    this.inFlight -= 1;
    if (commands.includes('crash')) throw new Error('the library crashed');
    const ok = !commands.includes('wrong');
    return {
      ok,
      output: mode === 'list' ? '{"nftables": []}' : '',
      error: ok ? '' : 'Error: wrong\n',
    };
  }

  owns(): boolean {
    return false;
  }

  async close(): Promise<void> {
    this.closed += 1;
  }
}

function scene(): { engine: Recorder; nft: SerialNft } {
  const engine = new Recorder();
  return { engine, nft: new SerialNft(engine, silentLog) };
}

t.test('what waits is one transaction, in order', async (t) => {
  const { engine, nft } = scene();
  await Promise.all([nft.apply('a'), nft.apply('b'), nft.apply('c')]);
  t.strictSame(engine.ran, ['apply a;b;c']);
  const first = nft.apply('d');
  await new Promise(setImmediate);
  await Promise.all([first, nft.apply('e'), nft.apply('f')]);
  t.strictSame(engine.ran.slice(1), ['apply d', 'apply e;f'], 'while one runs the others wait');
});

t.test('checks and lists are not merged, and what is to be applied goes ahead', async (t) => {
  const { engine, nft } = scene();
  const document = nft.listJson('l');
  await Promise.all([
    nft.apply('a'),
    nft.apply('b'),
    nft.check('c'),
    nft.check('d'),
    nft.apply('e'),
  ]);
  t.strictSame(engine.ran, ['apply a;b;e', 'list l', 'check c', 'check d']);
  t.strictSame(await document, { nftables: [] });
});

t.test('a list gets its turn among changes without end', async (t) => {
  const { engine, nft } = scene();
  const { ran } = engine;
  const changes: Promise<void>[] = [];
  const run = engine.run.bind(engine);
  engine.run = (commands, mode) => {
    // While one runs the next one comes.
    if (ran.length < 50 && !ran.includes('list l')) changes.push(nft.apply('a'));
    return run(commands, mode);
  };
  await Promise.all([nft.listJson('l'), nft.apply('a')]);
  await Promise.all(changes);
  t.equal(ran.indexOf('list l'), 8, 'after eight of them');
});

t.test('a refused group runs one by one', async (t) => {
  const { engine, nft } = scene();
  const [a, wrong, b] = [nft.apply('a'), faultOf(nft.apply('wrong')), nft.apply('b')];
  await Promise.all([a, b]);
  t.match(await wrong, { kind: 'invalid', details: { commands: 'wrong' } });
  t.strictSame(engine.ran, ['apply a;wrong;b', 'apply a', 'apply wrong', 'apply b']);
});

t.test('a group is cut before it grows too large', async (t) => {
  const { engine, nft } = scene();
  const large = 'x'.repeat(300 * 1024);
  await Promise.all([nft.apply(large), nft.apply(large), nft.apply('y')]);
  t.strictSame(
    engine.ran.map((text) => text.length > large.length),
    [true, true],
  );
  t.match(engine.ran[1], /;y$/);
});

t.test('a failing engine fails the calls it was given, and only those', async (t) => {
  const { nft } = scene();
  const faults = await Promise.all([faultOf(nft.apply('crash')), faultOf(nft.apply('beside'))]);
  t.match(faults, [{ kind: 'internal' }, { kind: 'internal' }]);
  await nft.apply('next');
});

t.test('close waits for what runs and rejects what waits', async (t) => {
  const { engine, nft } = scene();
  const running = nft.apply('a');
  await new Promise(setImmediate);
  const waiting = faultOf(nft.apply('b'));
  await Promise.all([nft.close(), running]);
  t.match(await waiting, { kind: 'unavailable', reason: 'closed' });
  t.strictSame(engine.ran, ['apply a']);
  t.equal(engine.closed, 1);
  t.match(await faultOf(nft.listJson('l')), { kind: 'unavailable' });
});

t.test('output that is no JSON is a defect, and said so', async (t) => {
  const nft = new SerialNft(
    Object.assign(new Recorder(), { run: async () => ({ ok: true, output: 'table', error: '' }) }),
    silentLog,
  );
  t.match(await faultOf(nft.listJson('list tables')), {
    kind: 'internal',
    reason: 'bad-nft-output',
  });
});
