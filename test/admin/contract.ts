import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createAdminClient, createAdminServer } from '../../src/admin/index.js';
import { silentLog } from '../../src/base/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { storeContract, type ContractSubject } from '../fixtures/store-contract.js';
import { startTcpProxy } from '../fixtures/tcp-proxy.js';

// The store through the daemon's socket, with a relay in between that can lose a reply.
async function open(): Promise<ContractSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'admin-test-'));
  const [path, relayed] = [join(folder, 'admin.sock'), join(folder, 'relay.sock')];
  const memory = createMemoryStore();
  const status = async (): Promise<unknown> => ({});
  const server = createAdminServer({ path, store: memory, status, log: silentLog });
  await server.listen();
  const proxy = await startTcpProxy({ path }, { path: relayed });
  const store = createAdminClient(relayed).openStore();
  return {
    store,
    compact: async () => memory.compact(),
    loseNextReply: async () => {
      proxy.dropReplies();
      const { revision } = await memory.identify();
      const watch = memory.watch({
        prefixes: ['/'],
        from: revision + 1n,
        onLost: () => undefined,
        onChanges: () => {
          watch.close();
          setTimeout(() => proxy.resume(), 100);
        },
      });
    },
    unreachable: () => createAdminClient(join(folder, 'no.sock')).openStore(),
    close: async () => {
      await store.close();
      await proxy.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

storeContract(t, open, { hold: false });
