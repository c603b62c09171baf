// The daemon dies after the veth pair was made and before the commit: nothing remembers the pair.
import t from 'tap';
import { until } from '../fixtures/until.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { createMemoryNetlink } from '../../src/netlink/index.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import { create, createNetwork, endpointId, request } from '../fixtures/plugin-calls.js';

t.test('a pair without an endpoint goes after the restart', async (t) => {
  const directory = mkdtempSync(path(tmpdir(), 'killed-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const netlink = createMemoryNetlink();
  const first = await startPluginPair({ store, netlink, directory });
  const poolId = await createNetwork(first);
  const address = await request(first, poolId);
  let reached: () => void = () => undefined;
  const committing = new Promise<void>((resolve) => {
    reached = resolve;
  });
  store.beforeCommit(() => {
    reached();
    return new Promise(() => undefined);
  }); // the process is killed here
  void create(first, endpointId('b'), address).catch(() => undefined);
  await committing;
  await until(async () => (await netlink.linkByName('calibbbbbbbbbbb')) !== undefined, 'the pair');
  // A second life over the same state, kernel and store.
  const second = await startPluginPair({
    store: memory,
    netlink,
    directory: mkdtempSync(path(directory, 'sockets-')),
  });
  void second;
  const { RecordJournal } = await import('../../src/base/index.js');
  const left =
    new RecordJournal(path(directory, 'run', 'tombstones.journal')).all().size +
    new RecordJournal(path(directory, 'run', 'endpoints.journal')).all().size;
  t.ok(left > 0, 'a record of ours names the pair, so that the next life can delete it');
  t.end();
  setTimeout(() => process.exit(), 500);
});
