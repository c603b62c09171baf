import t from 'tap';
import { Address } from '../../src/model/index.js';
import {
  clusterStore,
  putEndpoint,
  startAgent,
  type RunningAgent,
} from '../fixtures/agent-host.js';
import { localEndpoint } from '../fixtures/agent-facts.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

const ENDPOINTS = 1000;

/** Pair, stored object and Join of endpoint `at`; milliseconds that `program` took. */
async function start(
  { agent, netlink }: RunningAgent,
  at: number,
  indexes: Map<number, number>,
): Promise<number> {
  const name = `s${at}`;
  const { hostIndex } = await netlink.createVeth({
    host: { name: `cali${name}`, mac: 'ee:ee:ee:ee:ee:ee' },
    peer: { name: `temp${name}` },
    mtu: 1500,
  });
  indexes.set(at, hostIndex);
  const addresses = [`10.20.${at >> 8}.${at & 255}`];
  const begun = performance.now();
  await agent.program(
    localEndpoint(name, `cali${name}`, hostIndex, addresses, { profiles: ['net1'] }),
  );
  return performance.now() - begun;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

await inPrivateNamespace(
  import.meta.url,
  () => {
    t.test(`${ENDPOINTS} endpoints on one host, ten times as many in the cluster`, async (t) => {
      const store = clusterStore({ '10.0.0.0/8': { natOutgoing: true } }, ['net1']);
      const host = await startAgent(t, store);
      const { agent, writes } = host;
      const indexes = new Map<number, number>();
      const times: number[] = [];
      for (let at = 0; at < ENDPOINTS; at += 1) times.push(await start(host, at, indexes));
      const few = median(times.slice(20, 120));
      const many = median(times.slice(-100));
      t.comment(
        `program: ${few.toFixed(2)} ms at 100 endpoints, ${many.toFixed(2)} ms at ${ENDPOINTS}`,
      );
      // One transaction takes about the same time; the bound allows for a busy machine.
      t.ok(many < few * 3 + 1, 'the cost of one start does not grow with the endpoints');
      t.ok(
        writes.slice(-2).every((write) => write.length < 600),
        'the last start wrote a few elements and one route',
      );

      for (let at = 0; at < ENDPOINTS * 10; at += 1) {
        const address = Address.parse(`10.30.${at >> 8}.${at & 255}`);
        putEndpoint(store, {
          endpoint: `far${at}`,
          node: 'node2',
          profiles: ['net1'],
          addresses: [address],
        });
      }
      const members = ENDPOINTS * 11;
      await until(() => agent.status().policy.endpoints === members, 'the cluster', 60_000);
      await until(() => agent.status().state === 'in-sync', 'the kernel', 60_000);
      const last = await start(host, ENDPOINTS, indexes);
      t.comment(`program with ${members} members in the set: ${last.toFixed(2)} ms`);

      const { replaced } = agent.status().table;
      const begun = performance.now();
      run('nft', 'flush', 'ruleset');
      const flushed = performance.now();
      await until(() => agent.status().table.replaced > replaced, 'the table', 10_000);
      const took = performance.now() - flushed;
      t.comment(
        `flush took ${Math.round(flushed - begun)} ms; table of ${agent.status().table.elements} elements back after ${Math.round(took)} ms`,
      );
      t.ok(took < 1000, 'back at once');

      const stops: number[] = [];
      for (let at = 0; at < 100; at += 1) {
        const before = performance.now();
        await agent.withdraw(`s${at}`);
        stops.push(performance.now() - before);
      }
      t.comment(`withdraw: ${median(stops).toFixed(2)} ms`);
      const burst = performance.now();
      await Promise.all(
        [...Array(100).keys()].map(async (at) => {
          const addresses = [`10.20.${at >> 8}.${at & 255}`];
          await agent.program(
            localEndpoint(`s${at}`, `calis${at}`, indexes.get(at) ?? 0, addresses, {
              profiles: ['net1'],
            }),
          );
        }),
      );
      t.comment(`100 at once, addresses reused: ${Math.round(performance.now() - burst)} ms`);
      t.equal(agent.status().routes.wanted, ENDPOINTS + 1);
      t.equal(run('ip', 'route').split('proto 80').length, ENDPOINTS + 3);
    });
  },
  { timeoutMs: 200_000 },
);
