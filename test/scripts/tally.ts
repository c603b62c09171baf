import t from 'tap';
import { createTallyStream, summaryLine, type FileTally } from '../../scripts/test/tally.js';

async function tallyOf(...lines: readonly string[]): Promise<FileTally> {
  const stream = createTallyStream();
  stream.write(`TAP version 14\n${lines.join('\n')}\n`);
  return stream.finish();
}

t.test('assertions are counted once, at the leaves', async (t) => {
  const tally = await tallyOf(
    '# Subtest: outer',
    '    ok 1 - a',
    '    # Subtest: inner',
    '        ok 1 - b',
    '        not ok 2 - c',
    '        1..2',
    '    not ok 2 - inner',
    '    1..2',
    'not ok 1 - outer',
    'ok 2 - d # SKIP no dockerd',
    '1..2',
  );
  t.match(tally, { passed: 2, failed: 1, skipped: 1 });
  t.same(tally.failures, ['outer > inner > c']);
  t.same(tally.skips, ['d (no dockerd)']);
  t.equal(summaryLine(tally), '2 passed, 1 failed, 1 skipped');
});

t.test('a subtest that fails without a failed assertion counts', async (t) => {
  const tally = await tallyOf(
    '# Subtest: outer',
    '    ok 1 - a',
    '    1..1',
    'not ok 1 - outer',
    '1..1',
  );
  t.match(tally, { passed: 1, failed: 1, skipped: 0 });
});

t.test('a missing plan, a short plan and a bail-out count as failures', async (t) => {
  t.match(await tallyOf('ok 1 - a'), { passed: 1, failed: 1 });
  t.match(await tallyOf('1..3', 'ok 1 - a'), { passed: 1, failed: 1 });
  t.match(await tallyOf('ok 1 - a', 'Bail out! gone', '1..1'), { failed: 1 });
});

t.test('a file that skips itself counts as one skipped', async (t) => {
  const tally = await tallyOf('1..0 # needs root');
  t.match(tally, { passed: 0, failed: 0, skipped: 1, skips: ['the whole file (needs root)'] });
});
