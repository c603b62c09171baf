import t from 'tap';
import { silentLog } from '../../src/base/index.js';
import { createEtcdStore } from '../../src/datastore/etcd/index.js';
import { startEtcd } from '../fixtures/etcd-server.js';
import { storeContract, type ContractSubject } from '../fixtures/store-contract.js';
import { startTcpProxy } from '../fixtures/tcp-proxy.js';

const server = await startEtcd();
t.teardown(() => server.close());
const target = { port: Number(new URL(server.endpoints[0] ?? '').port) };

async function open(): Promise<ContractSubject> {
  await server.etcdctl('del', '', '--from-key=true');
  const proxy = await startTcpProxy(target);
  const endpoints = [`http://127.0.0.1:${proxy.port}`];
  const store = createEtcdStore({ endpoints, log: silentLog });
  return {
    store,
    compact: async () => {
      const { revision } = await store.identify();
      await server.etcdctl('compact', revision.toString());
    },
    loseNextReply: async () => {
      proxy.dropReplies();
      const sent = proxy.received;
      const timer = setInterval(() => {
        if (proxy.received > sent + 50) {
          clearInterval(timer);
          setTimeout(() => proxy.resume(), 300);
        }
      }, 10);
    },
    unreachable: () =>
      createEtcdStore({
        endpoints: ['http://127.0.0.1:1', 'http://127.0.0.1:2'],
        log: silentLog,
        deadlines: { dialMs: 1000, callMs: 1000 },
      }),
    close: async () => {
      await store.close();
      await proxy.close();
    },
  };
}

storeContract(t, open, { hold: true });
