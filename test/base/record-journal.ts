import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { faultOf } from '../fixtures/fault-of.js';
import { RecordJournal } from '../../src/base/index.js';

function journalPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'journal-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, 'below', 'records.journal');
}

const again = (path: string): Record<string, unknown> =>
  Object.fromEntries(new RecordJournal(path).all());

t.test('what was written is there in the next life', (t) => {
  const path = journalPath(t);
  const journal = new RecordJournal(path);
  journal.write('a', { slot: 1, words: ['ä', '\n'] });
  journal.write('b', { slot: 2 });
  journal.write('a', { slot: 3 });
  journal.remove('b');
  journal.remove('never there');
  journal.write('c', {});
  t.same(again(path), { a: { slot: 3 }, c: {} });
  t.same(Object.fromEntries(journal.all()), again(path), 'and in this one');
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.end();
});

t.test('a line that was cut off is none, and does not spoil the next', (t) => {
  const path = journalPath(t);
  new RecordJournal(path).write('a', { slot: 1 });
  appendFileSync(path, '{"name":"b","value":{"sl');
  const journal = new RecordJournal(path);
  t.same(Object.fromEntries(journal.all()), { a: { slot: 1 } });
  journal.write('c', { slot: 2 });
  t.same(again(path), { a: { slot: 1 }, c: { slot: 2 } });
  t.end();
});

t.test('what cannot be written is said, and is not there', async (t) => {
  const path = journalPath(t);
  const journal = new RecordJournal(path);
  mkdirSync(path);
  const fault = await faultOf(() => journal.write('a', {}));
  t.match(fault, { kind: 'unavailable', reason: 'journal' });
  t.equal(journal.all().size, 0);
});

t.test('it does not grow with the records that are gone', (t) => {
  const path = journalPath(t);
  const journal = new RecordJournal(path);
  journal.write('stays', { slot: 1 });
  for (let round = 0; round < 5000; round += 1) {
    journal.write(`goes${round}`, { slot: round });
    journal.remove(`goes${round}`);
  }
  t.ok(readFileSync(path, 'utf8').split('\n').length < 1002);
  t.same(again(path), { stays: { slot: 1 } });
  journal.write('later', {});
  t.same(again(path), { stays: { slot: 1 }, later: {} }, 'also what comes after it was shortened');
  t.end();
});

t.test('cut off anywhere, it is as it was after some change', (t) => {
  const path = journalPath(t);
  const change = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    value: fc.option(
      fc.jsonValue({ maxDepth: 1 }).map((value) => ({ value })),
      { nil: undefined },
    ),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.nat(), (changes, at) => {
      rmSync(path, { force: true });
      const journal = new RecordJournal(path);
      writeFileSync(path, '');
      const states = [
        {},
        ...changes.map(({ name, value }) => {
          if (value === undefined) journal.remove(name);
          else journal.write(name, value);
          return Object.fromEntries(journal.all());
        }),
      ];
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.subarray(0, at % (bytes.length + 1)));
      const found = JSON.stringify(again(path));
      return states.some((state) => JSON.stringify(state) === found);
    }),
  );
  t.end();
});
