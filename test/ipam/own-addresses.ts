import t from 'tap';
import { handleKey, type Store } from '../../src/datastore/index.js';
import { HandleBook } from '../../src/ipam/handle-book.js';
import { listOwnAddresses } from '../../src/ipam/own-addresses.js';
import { BlockEdit, Cidr, newBlock } from '../../src/model/index.js';
import { blockAttribute, encodeHandle } from '../../src/model/v3/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const host = { node: 'n1', uuid: 'this' };
const BLOCK = Cidr.parse('10.20.0.0/24');

t.test(
  'the handles of all addresses are read at once, and only those that are not known',
  async (t) => {
    const store = createMemoryStore();
    const edit = new BlockEdit(newBlock(BLOCK, 'host:n1', 0));
    for (let at = 0; at < 200; at += 1) {
      const handle = `docker.n1.${at}`;
      const mine = at % 2 === 0;
      edit.claimNext(
        blockAttribute(handle, { node: 'n1', host: mine ? 'this' : 'another' }),
        () => true,
      );
      store.put(handleKey(handle), encodeHandle(new Map([[String(BLOCK), 1]])));
    }
    const reads: number[] = [];
    const counted: Store = {
      ...store,
      get: () => t.fail('read one by one') as never,
      getMany: (keys, options) => {
        reads.push(keys.length);
        return store.getMany(keys, options);
      },
    };
    const handles = new HandleBook(counted);
    handles.written('docker.n1.4', new Map([[String(BLOCK), 1]]), 77n);
    const affinity = { state: 'confirmed' as const, revision: 1n };
    const blocks = [{ cidr: BLOCK, block: edit.finish(), revision: 1n, affinity }];
    const own = await listOwnAddresses(blocks, handles, host, {});
    t.equal(own.length, 100, "not another machine's");
    t.same(reads, [99]);
    t.equal(own.find(({ handle }) => handle === 'docker.n1.4')?.handleRevision, 77n);
    const stored = await store.get(handleKey('docker.n1.6'));
    t.equal(own.find(({ handle }) => handle === 'docker.n1.6')?.handleRevision, stored?.revision);
    await listOwnAddresses(blocks, handles, host, {});
    t.same(reads, [99], 'known by now');
  },
);
