import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { attach, clusterStore, packetsOf, startAgent } from '../fixtures/agent-host.js';
import type { NetworkNamespace } from '../fixtures/network-namespace.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

const FLUSHES = 20;
const PORT = 7000;
/** Milliseconds between two packets. */
const EVERY = 2;

/** Each packet carries the moment it was sent; what a late timer missed is not made up for. */
const SENDER = `
const socket = require('node:dgram').createSocket('udp4');
setInterval(() => {
  const now = Buffer.from(String(process.hrtime.bigint()));
  socket.send(now, ${PORT}, process.argv[1]);
}, ${EVERY});
socket.on('error', () => undefined);
process.stdout.write('ready\\n');`;

const RECEIVER = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (sent) => process.stdout.write(sent + '\\n'));
socket.bind(${PORT}, () => process.stdout.write('ready\\n'));`;

/** Runs one of these inside, ahead of others for the processor: it measures, and is not measured. */
async function startInstrument(
  namespace: NetworkNamespace,
  script: string,
  ...args: readonly string[]
): Promise<Interface> {
  const urgent = ['-n', '-10', process.execPath, '-e', script, ...args];
  const { stdout } = namespace.start('nice', ...urgent);
  if (stdout === null) throw new Error('it has no output');
  const lines = createInterface(stdout);
  await once(lines, 'line');
  return lines;
}

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
    const a = await attach(t, host, store, { id: 'a', network: 'net1', addresses: ['10.20.0.1'] });
    const b = await attach(t, host, store, { id: 'b', network: 'net2', addresses: ['10.30.0.1'] });
    await until(() => agent.status().state === 'in-sync', 'rest');

    let passed: number[] = [];
    (await startInstrument(b.namespace, RECEIVER)).on('line', (line) => {
      passed.push(Number(line) / 1e6);
    });
    await startInstrument(a.namespace, SENDER, '10.30.0.1');
    await delay(100);
    t.same(passed, [], 'policy denies them');
    t.ok((await packetsOf(host.nft, 'no profile matched')) > 0, 'and counted them');

    const counts: number[] = [];
    const open: number[] = [];
    const back: number[] = [];
    for (let at = 0; at < FLUSHES; at += 1) {
      passed = [];
      writes.length = 0;
      const { replaced } = agent.status().table;
      // Not run() of the fixtures: the agent lives in this process, which is not to stand still.
      const begun = performance.now();
      await flushRuleset();
      await until(() => agent.status().table.replaced > replaced, 'the table', 1000);
      back.push(performance.now() - begun);
      // Longer than what is settled for, and than any packet is under way.
      await delay(400);
      await until(() => agent.status().state === 'in-sync', 'rest');
      counts.push(passed.length);
      open.push(passed.length === 0 ? 0 : Math.max(...passed) - Math.min(...passed) + EVERY);
      t.equal(writes.length, 1, 'one write, and no further one');
    }
    t.comment(`denied packets that passed, ${1000 / EVERY} each second: ${figures(counts, 0)}`);
    t.comment(`from the first to the last of them: ${figures(open, 1)} ms`);
    t.comment(`nft started to table back: ${figures(back, 1)} ms`);
    passed = [];
    await delay(100);
    t.same(passed, [], 'policy denies them again');
  });
});
