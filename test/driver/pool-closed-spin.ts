// A pool that is disabled while a claim is under way: Assigner.assign spins in microtasks for ever, the process is frozen.
import t from 'tap';
import { fork } from 'node:child_process';
import { createFaultyStore } from '../fixtures/faulty-store.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { startPluginPair } from '../fixtures/plugin-pair.js';
import { clusterOf, poolText } from '../fixtures/stored-objects.js';
import { createNetwork, request } from '../fixtures/plugin-calls.js';

async function child() {
  const memory = createMemoryStore({ entries: clusterOf(['node1'], { pool1: '10.20.0.0/16' }) });
  const store = createFaultyStore(memory);
  const pair = await startPluginPair({ store });
  const poolId = await createNetwork(pair);
  await request(pair, poolId, '02:42:0a:14:00:02');
  store.beforeCommit(async () => {
    memory.put(
      '/calico/resources/v3/projectcalico.org/ippools/pool1',
      poolText('pool1', '10.20.0.0/16', { disabled: true }),
    );
  });
  await request(pair, poolId).then(
    (address) => process.send?.({ address }),
    (error: Error) => process.send?.({ error: error.message }),
  );
  process.exit(0);
}
async function parent() {
  const child = fork(import.meta.filename, ['child'], {
    execArgv: ['--import=tsx'],
    cwd: process.cwd(),
  });
  const answer = await new Promise((resolve) => {
    const timer = setTimeout(() => resolve('no answer: the process spins'), 15_000);
    child.on('message', (message: Record<string, unknown>) => {
      if (!('address' in message) && !('error' in message)) return;
      clearTimeout(timer);
      resolve(message);
    });
  });
  child.kill('SIGKILL');
  t.comment(JSON.stringify(answer));
  t.match(answer, { error: /disabled/ }, 'the request is refused because the pool is disabled');
}
void (process.argv[2] === 'child' ? child() : parent());
