import t from 'tap';
import { resourceKey } from '../../src/datastore/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { createNetwork, request } from '../fixtures/plugin-calls.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, nodeText } from '../fixtures/stored-objects.js';

t.test('a pool that contains this host gives out nothing near it', async (t) => {
  const node = JSON.parse(nodeText('node1')) as object;
  const memory = createMemoryStore({
    entries: {
      ...clusterOf([], { pool1: '10.20.0.0/25' }),
      [resourceKey('nodes', 'node1')]: JSON.stringify({
        ...node,
        spec: { bgp: { ipv4Address: '10.20.0.70/24' } },
      }),
    },
  });
  const pair = await startPluginPair({ store: memory });
  t.teardown(() => pair.stop());
  const poolId = await createNetwork(pair, '10.20.0.0/25');
  const given = new Set<number>();
  for (let at = 0; at < 64; at += 1) {
    const address = await request(
      pair,
      poolId,
      `02:42:0a:14:00:${at.toString(16).padStart(2, '0')}`,
    );
    given.add(Number(/^10\.20\.0\.(\d+)\//.exec(address)?.[1]));
  }
  t.equal(given.size, 64);
  t.ok(
    [...given].every((last) => last < 64),
    'all of the block that it is not in',
  );
  await t.rejects(request(pair, poolId, '02:42:0a:14:01:00'), { message: /no block is free/ });
});
