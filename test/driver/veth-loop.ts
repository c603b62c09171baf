// A tombstone, and a core that cannot be assembled: the Veths made for it goes on for ever, five warnings a second, per attempt.
import t from 'tap';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault, RecordJournal, silentLog } from '../../src/base/index.js';
import { createMemoryNetlink } from '../../src/netlink/index.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';

t.test('a failed start leaves no work behind', async (t) => {
  const directory = mkdtempSync(path(tmpdir(), 'loop-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  new RecordJournal(path(directory, 'run', 'tombstones.journal')).write('calibbbbbbbbbbb', {
    index: 7,
    name: 'calibbbbbbbbbbb',
  });
  const store = createFaultyStore(createMemoryStore({ entries: clusterOf(['node1'], {}) }));
  let warnings = 0;
  const log = {
    ...silentLog,
    warn: () => {
      warnings += 1;
    },
  } as typeof silentLog;
  const netlink = createMemoryNetlink();
  store.failBefore('getMany', 4);
  store.failBefore('list', 0);
  const original = store.list;
  let lists = 0;
  store.list = (async (...args: Parameters<typeof original>) => {
    lists += 1;
    if (lists > 1) throw new Fault('unavailable', 'no etcd');
    return original(...args);
  }) as typeof original;
  await t.rejects(startPluginPair({ store, netlink, directory, log }));
  netlink.deleteLinks = async () => {
    throw new Fault('unavailable', 'closed');
  }; // closers.close() has closed it
  warnings = 0;
  await delay(2_000);
  t.equal(warnings, 0, 'nothing goes on');
  setTimeout(() => process.exit(), 100);
});
