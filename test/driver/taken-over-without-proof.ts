// Explicit address of a live container whose WorkloadEndpoint this daemon does not know (deleted by a user, another namespace
// setting, unreadable): taken over without a look at the kernel.
import t from 'tap';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { systemClock } from '../../src/base/index.js';
import { createMemoryNetlink } from '../../src/netlink/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf } from '../fixtures/stored-objects.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';

t.test('a live container keeps its address', async (t) => {
  const directory = mkdtempSync(path(tmpdir(), 'takeover-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const netlink = createMemoryNetlink();
  const earlier = {
    ...systemClock,
    now: () => systemClock.now() - 3_600_000,
    monotonic: () => systemClock.monotonic(),
  };
  const first = await startPluginPair({ store: memory, netlink, directory, clock: earlier });
  const poolId = await createNetwork(first);
  const id = endpointId('b');
  const address = await request(first, poolId);
  await create(first, id, address);
  await join(first, id);
  netlink.moveAway('tempbbbbbbbbbbb');
  await first.stop();
  memory.delete(wepKey(id));
  const second = await startPluginPair({ store: memory, netlink, directory });
  t.teardown(() => second.stop());
  t.ok((await netlink.linkByName('calibbbbbbbbbbb'))?.up, 'its interface is up');
  await t.rejects(
    request(second, poolId, '02:42:0a:14:00:09', address.split('/')[0]),
    /is taken by/,
  );
});
