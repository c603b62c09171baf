import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { attach, clusterStore, macOf, packetsOf, startAgent } from '../fixtures/agent-host.js';
import { countPackets } from '../fixtures/packet-count.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';
import { ipv4, PROTOCOLS, udp } from '../fixtures/raw-frames.js';
import { startSender } from '../fixtures/raw-sender.js';
import { until } from '../fixtures/until.js';

const FLUSHES = 20;
/** Packets in a second. */
const RATE = 10_000;
const DROPPED = 'no profile matched';
const ENDS = { from: '10.20.0.1', to: '10.30.0.1' };

/** Not run() of the fixtures: the agent lives in this process, which is not to stand still. */
async function flushRuleset(): Promise<void> {
  const child = spawn('nft', ['flush', 'ruleset'], { stdio: 'ignore' });
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`nft ended with ${child.exitCode}`);
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

const figures = (values: readonly number[], digits: number): string =>
  `median ${median(values).toFixed(digits)}, most ${Math.max(...values).toFixed(digits)}`;

/**
 * Most of the time goes by in the program that flushed: when its socket closes the kernel frees what
 * was deleted, and waits for an RCU grace period (10 to 20 ms, on a busy machine a multiple) with the
 * lock that our transaction needs. Our own part is 2 to 3 ms, and lies within that.
 */
await inPrivateNamespace(import.meta.url, () => {
  t.test('what policy denies while others flush the ruleset', async (t) => {
    const store = clusterStore({ '10.20.0.0/16': {}, '10.30.0.0/16': {} }, ['net1', 'net2']);
    const host = await startAgent(t, store);
    const { agent, writes } = host;
    const a = await attach(t, host, store, { id: 'a', network: 'net1', addresses: [ENDS.from] });
    const b = await attach(t, host, store, { id: 'b', network: 'net2', addresses: [ENDS.to] });
    await until(() => agent.status().state === 'in-sync', 'rest');

    const passed = countPackets(b.namespace.run, 'passed', 'udp dport 7000');
    const sender = await startSender(t, a.namespace, 'cali0');
    const message = udp(ENDS, { from: 9, to: 7000 });
    const link = { from: macOf('a'), to: 'ee:ee:ee:ee:ee:ee' };
    const begunAt = performance.now();
    await sender.flood([ipv4(link, ENDS, PROTOCOLS.udp, message)], RATE);
    /** Settles when so many more were dropped: none of those before them is under way any more. */
    const dropped = async (more: number): Promise<void> => {
      const before = await packetsOf(host.nft, DROPPED);
      await until(async () => (await packetsOf(host.nft, DROPPED)) >= before + more, 'drops');
    };
    await dropped(RATE / 10);
    t.equal(passed.read(), 0, 'policy denies them');

    const open: number[] = [];
    const back: number[] = [];
    for (let at = 0; at < FLUSHES; at += 1) {
      const before = passed.read();
      writes.length = 0;
      const { replaced } = agent.status().table;
      const begun = performance.now();
      await flushRuleset();
      await until(() => agent.status().table.replaced > replaced, 'the table', 10_000);
      back.push(performance.now() - begun);
      await dropped(RATE / 10);
      await until(() => agent.status().state === 'in-sync', 'rest');
      open.push(passed.read() - before);
      t.equal(writes.length, 2, 'the table, shut, and its opening; no further write');
    }
    const after = passed.read();
    await dropped(RATE / 5);
    t.equal(passed.read(), after, 'policy denies them again');
    const sent = await sender.stop();
    const rate = (sent / (performance.now() - begunAt)) * 1000;
    t.comment(`denied packets that passed, ${rate.toFixed(0)} each second: ${figures(open, 0)}`);
    const times = open.map((count) => (count / rate) * 1000);
    t.comment(`that is protection back after ${figures(times, 1)} ms`);
    t.comment(`nft started to table back: ${figures(back, 1)} ms`);
  });
});
