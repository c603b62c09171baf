import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import t, { type Test } from 'tap';
import { Fault } from '../../src/base/index.js';
import type { Store } from '../../src/datastore/index.js';
import { createMemoryNetlink } from '../../src/netlink/index.js';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair, type PluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, takenAddresses } from '../fixtures/stored-objects.js';
import {
  create,
  createNetwork,
  endpointId,
  join,
  MAC,
  NETWORK,
  release,
  request,
  wepKey,
} from '../fixtures/plugin-calls.js';

const id = endpointId('b');

/** One running container; then the daemon ends. */
async function startScene(t: Test) {
  const directory = mkdtempSync(path(tmpdir(), 'claim-again-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const entries = clusterOf(['node1'], { pool1: { cidr: '10.20.0.0/26', blockSize: 26 } });
  const memory = createMemoryStore({ entries });
  const netlink = createMemoryNetlink();
  const names = { [NETWORK]: 'net1' };
  const first = await startPluginPair({ store: memory, netlink, directory, names });
  const poolId = await createNetwork(first, '10.20.0.0/26');
  const address = (await request(first, poolId)).split('/')[0] ?? '';
  await create(first, id, `${address}/32`);
  await join(first, id);
  netlink.moveAway('tempbbbbbbbbbbb');
  await first.stop();
  const again = async (store: Store, exchanged = true): Promise<PluginPair> => {
    const pair = await startPluginPair({ store, netlink, directory, names, exchanged });
    t.teardown(() => pair.stop());
    return pair;
  };
  return { memory, entries, netlink, poolId, address, again, directory };
}

t.test('a store without all of it', async (t) => {
  const { memory, entries, address, again, poolId } = await startScene(t);
  const before = memory.dump();
  const emptied = createMemoryStore({ entries });
  const second = await again(emptied);
  t.match(second.core.claims, { claimed: [address], conflicts: [], endpoints: 1 });
  const after = emptied.dump();
  t.same(Object.keys(after).sort(), Object.keys(before).sort(), 'the same keys stand there');
  t.equal(after[wepKey(id)], before[wepKey(id)], 'the endpoint to the letter');
  t.ok(holderOf(memory, address)?.['handle_id']);
  t.equal(holderOf(emptied, address)?.['handle_id'], holderOf(memory, address)?.['handle_id']);
  t.ok(
    second.core.restored.some((one) => one.id === id),
    'the agent is told',
  );
  await second.network.call('NetworkDriver.Leave', { NetworkID: NETWORK, EndpointID: id });
  await second.network.call('NetworkDriver.DeleteEndpoint', { NetworkID: NETWORK, EndpointID: id });
  await release(second, poolId, address);
  t.equal(takenAddresses(emptied.dump()).size, 0, 'and it ends as any other');
});

t.test('a store that has all of it', async (t) => {
  const { memory, again } = await startScene(t);
  const before = memory.dump();
  const { revision } = await memory.identify();
  const second = await again(memory);
  t.match(second.core.claims, { claimed: [], conflicts: [], endpoints: 0 });
  t.same(memory.dump(), before);
  t.equal((await memory.identify()).revision, revision, 'nothing was written');
});

t.test('somebody else has the address there', async (t) => {
  const { entries, address, again, poolId } = await startScene(t);
  const theirs = createMemoryStore({ entries: { ...entries, ...clusterOf(['node2'], {}) } });
  const uuid = '6f1f3f0a-0000-4000-8000-000000000002';
  const other = await startPluginPair({ store: theirs, node: 'node2', uuid });
  t.teardown(() => other.stop());
  const pool = await createNetwork(other, '10.20.0.0/26', 'c'.repeat(64));
  await request(other, pool, '02:42:0a:14:00:09', address);
  const held = holderOf(theirs, address);
  t.ok(held);
  const second = await again(theirs);
  t.match(second.core.claims.conflicts, [
    { address, here: /on node node1/, there: /on node node2, MAC 02:42:0a:14:00:09/ },
  ]);
  t.same(holderOf(theirs, address), held, 'it stays theirs');
  t.notOk(wepKey(id) in theirs.dump(), 'no endpoint of ours draws their traffic');
  t.ok(
    second.core.restored.some((one) => one.id === id),
    'the container keeps what it has here',
  );
  await second.core.driver.endpoints.update(id, { containerId: 'x', labels: {}, annotations: {} });
  t.notOk(wepKey(id) in theirs.dump(), 'nor does what is learnt of it later');
  t.notMatch(await request(second, poolId, MAC), address, 'nobody gets it from us');
  await second.network.call('NetworkDriver.DeleteEndpoint', { NetworkID: NETWORK, EndpointID: id });
  await release(second, poolId, address);
  t.same(holderOf(theirs, address), held, 'our container’s end is not theirs');
});

t.test('gateway and auxiliary addresses of networks', async (t) => {
  const directory = mkdtempSync(path(tmpdir(), 'claim-again-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const entries = clusterOf(['node1'], { pool1: { cidr: '10.20.0.0/26', blockSize: 26 } });
  const store = createMemoryStore({ entries });
  const first = await startPluginPair({ store, directory });
  const poolId = await createNetwork(first, '10.20.0.0/26');
  const ask = (address: string) =>
    first.ipam.call('IpamDriver.RequestAddress', { PoolID: poolId, Address: address, Options: {} });
  await ask('10.20.0.1');
  await ask('10.20.0.9');
  await release(first, poolId, '10.20.0.9');
  await first.stop();
  const claimedAgain = async (): Promise<readonly string[]> => {
    const emptied = createMemoryStore({ entries });
    const second = await startPluginPair({ store: emptied, directory, exchanged: true });
    await second.stop();
    return [...takenAddresses(emptied.dump()).keys()];
  };
  t.same(await claimedAgain(), ['10.20.0.0/26+1']);
  rmSync(path(directory, 'state', 'pool-addresses.journal'));
  t.same(await claimedAgain(), []);
  await (await startPluginPair({ store, directory })).stop();
  t.same(await claimedAgain(), ['10.20.0.0/26+1'], 'a version before kept no such file');
});

t.test('what a version before left on file is completed', async (t) => {
  const { memory, entries, address, again, directory } = await startScene(t);
  const journal = path(directory, 'run', 'endpoints.journal');
  const old = readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { name, value } = JSON.parse(line) as { name: string; value?: object };
      const kept =
        value === undefined ? {} : { value: { ...value, text: undefined, handles: undefined } };
      return `${JSON.stringify({ name, ...kept })}\n`;
    });
  writeFileSync(journal, old.join(''));
  const before = memory.dump();
  const upgraded = await again(memory, false);
  t.match(upgraded.core.claims, { claimed: [], conflicts: [], endpoints: 0 });
  t.same(memory.dump(), before, 'everything stood there');
  await upgraded.stop();
  const emptied = createMemoryStore({ entries });
  const after = await again(emptied);
  t.match(after.core.claims, { claimed: [address], endpoints: 1 });
  t.equal(holderOf(emptied, address)?.['handle_id'], holderOf(memory, address)?.['handle_id']);
  t.same([...takenAddresses(emptied.dump()).keys()], [...takenAddresses(before).keys()]);
});

t.test('the daemon dies at any write of it, and begins again', async (t) => {
  const { entries, address, again } = await startScene(t);
  for (let writes = 0; ; writes += 1) {
    const emptied = createMemoryStore({ entries });
    const dying = createFaultyStore(emptied);
    let died = false;
    for (let count = 0; count < writes; count += 1) dying.beforeCommit(async () => undefined);
    dying.beforeCommit(async () => {
      died = true;
      throw new Fault('unavailable', 'killed');
    });
    const first = await again(dying).catch(() => undefined);
    await first?.stop();
    if (!died) {
      t.ok(writes >= 4, 'network, address, profile and endpoint are written');
      return;
    }
    const last = await again(emptied);
    t.equal(last.core.claims.conflicts.length, 0, `died at write ${writes + 1}`);
    t.ok(holderOf(emptied, address), 'the address is held');
    t.ok(wepKey(id) in emptied.dump(), 'and the endpoint is there');
    await last.stop();
  }
});

/** The attribute of an address, read without the program's own block code. */
function holderOf(store: MemoryStore, address: string): Record<string, unknown> | undefined {
  return takenAddresses(store.dump()).get(`10.20.0.0/26+${address.split('.')[3]}`);
}
