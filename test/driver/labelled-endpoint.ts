// A user labels an endpoint (calicoctl); then dockerd crashes: only ReleaseAddress comes (plugin protocol 0.5).
import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  release,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';

for (const change of ['labelled', 'deleted'] as const) {
  t.test(`the endpoint was ${change} by somebody else`, async (t) => {
    const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
    const pair = await startPluginPair({ store: memory });
    t.teardown(() => pair.stop());
    const poolId = await createNetwork(pair);
    const id = endpointId('b');
    const address = await request(pair, poolId);
    await create(pair, id, address);
    await join(pair, id);
    const stored = JSON.parse(memory.dump()[wepKey(id)] ?? '{}');
    stored.metadata.labels.role = 'db';
    if (change === 'labelled') memory.put(wepKey(id), JSON.stringify(stored));
    else memory.delete(wepKey(id));
    const link = await pair.netlink.linkByName('calibbbbbbbbbbb');
    await pair.netlink.deleteLinks([{ index: link?.index ?? 0, name: 'calibbbbbbbbbbb' }]);
    await release(pair, poolId, address);
    t.same(pair.pending, [], 'nothing is deferred: the store answers');
    t.equal(takenAddresses(memory.dump()).size, 0, 'the address is free');
    t.notOk(memory.dump()[wepKey(id)], 'the endpoint is gone');
    // A replay, as the pending queue does it.
    await t.resolves(
      pair.core.ipam.allocator.release(
        (await import('../../src/model/index.js')).Address.parse(address.split('/')[0] ?? ''),
        poolId,
        { signal: AbortSignal.timeout(5_000) },
      ),
      'a replay succeeds',
    );
  });
}
