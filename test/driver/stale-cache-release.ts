// loadOwn's read (no room in pool1) is under way while pool2's block is written; its late answer puts the older block into the cache.
import t from 'tap';
import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../../src/datastore/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import { createNetwork, release, request } from '../fixtures/plugin-calls.js';

t.test('a release never believes a block older than what this daemon wrote', async (t) => {
  const memory = createMemoryStore({
    entries: clusterOf(['node1'], {
      full: { cidr: '10.9.0.0/29', blockSize: 29 },
      pool2: '10.20.0.0/16',
    }),
  });
  let slow = false;
  const store: Store = {
    ...memory,
    type: memory.type,
    description: 'm',
    getMany: async (keys, options) => {
      const answer = await memory.getMany(keys, options); // the state at the time of the read …
      if (slow) await delay(200); // … and an answer that takes its time
      return answer;
    },
  };
  const pair = await startPluginPair({ store });
  t.teardown(() => pair.stop());
  const full = await createNetwork(pair, '10.9.0.0/29');
  const pool2 = await createNetwork(pair, '10.20.0.0/16', 'b'.repeat(64));
  await request(pair, pool2, '02:42:00:00:00:01');
  for (let n = 0; n < 8; n += 1) await request(pair, full, `02:42:00:00:01:0${n}`);
  slow = true;
  const refused = request(pair, full, '02:42:00:00:02:01').catch((error: Error) => error);
  await delay(50);
  const address = await request(pair, pool2, '02:42:00:00:00:02'); // written while the read is under way
  await refused;
  slow = false;
  const before = takenAddresses(memory.dump()).size;
  await release(pair, pool2, address);
  t.equal(takenAddresses(memory.dump()).size, before - 1, `${address} is free`);
});
