import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { startBgpLab, type BgpHost } from '../../test/fixtures/bgp-lab.js';
import { until } from '../../test/fixtures/until.js';
import { median } from '../statistics.js';
import { finding, type HostFinding } from './finding.js';
import { linesOf, undoing, type Lines } from './lab.js';

/** etcd takes so many writes in one transaction unless told otherwise. */
const BATCH = 100;
/** How long the daemon is left alone before its memory is read. */
const REST_MS = 8_000;
const CONFIRMED = '{"state":"confirmed","deleted":false}';
const OBJECTS = '/calico/resources/v3/projectcalico.org';

interface Size {
  readonly hosts: number;
  readonly blocks: number;
}

/** Writes what it is told to the etcd beside it, a line of JSON at a time, over one connection. */
const WRITER = `
const { createInterface } = require('node:readline');
const { Agent, request } = require('node:http');
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
createInterface({ input: process.stdin }).on('line', (line) => {
  const options = { agent, port: 2379, method: 'POST', path: '/v3/kv/txn' };
  const call = request(options, (answer) => {
    answer.resume();
    answer.on('end', () => console.log('written', answer.statusCode));
  });
  call.end(line);
});
console.log('ready');
`;

/** One real agent in a cluster of simulated hosts: Nodes and claims on blocks in etcd, all in VXLAN. */
export async function measureScale(
  rounds: number,
  progress: (line: string) => void,
): Promise<readonly HostFinding[]> {
  const t = undoing();
  try {
    const env = { IP6: 'none', CALICO_NETWORKING_BACKEND: 'vxlan' };
    const lab = await startBgpLab(t, 1, { env });
    const [host] = lab.hosts;
    if (host === undefined) throw new Error('a host is needed');
    await lab.apply(
      'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: vxlan}\nspec: {cidr: 10.0.0.0/8, vxlanMode: Always}\n',
    );
    const writer = linesOf(t, host.host, process.execPath, ['-e', WRITER]);
    await writer.seen((line) => line === 'ready');
    const monitor = linesOf(t, host.host, 'ip', ['monitor', 'route']);
    const alone = await applied(host, 0, Math.max(3, Math.round(rounds / 4)));
    const aloneMiB = await residentMiB(host);
    const found: HostFinding[] = [];
    for (const size of [
      { hosts: 100, blocks: 250 },
      { hosts: 2000, blocks: 5000 },
    ]) {
      await fill(writer, size);
      const few = size.hosts === 100;
      const full = await applied(host, size.blocks, Math.max(3, Math.round(rounds / 4)));
      const extra = full.map((ms) => (ms - median(alone)) / 1000);
      const memory = await residentMiB(host);
      const changes = await oneChange(writer, monitor, size, rounds);
      const what = `${size.hosts} hosts, ${size.blocks} blocks`;
      const notes = [
        `the daemon’s start takes ${(median(full) / 1000).toFixed(2)} s to the last route, ${(median(alone) / 1000).toFixed(2)} s alone`,
      ];
      found.push(
        finding(
          {
            name: `${what}: full apply`,
            unit: 's',
            bound: few ? 1 : 10,
            direction: 'at most',
            notes,
          },
          extra,
        ),
        finding(
          { name: `${what}: one change`, unit: 'ms', bound: few ? 50 : 100, direction: 'at most' },
          changes,
        ),
        few
          ? finding(
              { name: `${what}: memory added`, unit: 'MiB', bound: 40, direction: 'at most' },
              [memory - aloneMiB],
            )
          : finding({ name: `${what}: memory`, unit: 'MiB', bound: 300, direction: 'at most' }, [
              memory,
            ]),
      );
      progress(`${what} measured`);
    }
    return found;
  } finally {
    await t.undo();
  }
}

const addressOf = (at: number): string => `172.17.${at >> 8}.${at & 255}`;

function blockOf(at: number, hosts: number): string {
  const owner = (at % hosts) + 1;
  return `10.${(owner >> 8) + 1}.${owner & 255}.${64 * Math.floor(at / hosts)}-26`;
}

const claimKey = (node: string, block: string): string =>
  `/calico/ipam/v2/host/${node}/ipv4/block/${block}`;

async function fill(writer: Lines, { hosts, blocks }: Size): Promise<void> {
  const entries: [string, string][] = [];
  for (let at = 1; at <= hosts; at += 1) {
    const spec = {
      bgp: { ipv4Address: `${addressOf(at)}/16` },
      ipv4VXLANTunnelAddr: `10.${(at >> 8) + 1}.${at & 255}.0`,
    };
    const metadata = { name: `sim${at}` };
    const node = { kind: 'Node', apiVersion: 'projectcalico.org/v3', metadata, spec };
    entries.push([`${OBJECTS}/nodes/sim${at}`, JSON.stringify(node)]);
  }
  for (let at = 0; at < blocks; at += 1) {
    entries.push([claimKey(`sim${(at % hosts) + 1}`, blockOf(at, hosts)), CONFIRMED]);
  }
  for (let from = 0; from < entries.length; from += BATCH) {
    await write(writer, entries.slice(from, from + BATCH));
  }
}

/** The moment of the answer. */
async function write(
  writer: Lines,
  entries: readonly (readonly [string, string | null])[],
): Promise<number> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const success = entries.map(([key, value]) =>
    value === null
      ? { requestDeleteRange: { key: base64(key) } }
      : { requestPut: { key: base64(key), value: base64(value) } },
  );
  const answered = writer.seen((line) => line.startsWith('written'));
  writer.write(JSON.stringify({ success }));
  return answered;
}

/** Starts the daemon on an empty kernel; milliseconds until every route is there, each time. */
async function applied(host: BgpHost, blocks: number, rounds: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await host.daemon().stop();
    await host.run('ip', ['link', 'del', 'vxlan.calico']);
    const begin = performance.now();
    await host.restartDaemon();
    await until(async () => (await tunnelled(host)) >= blocks, `${blocks} routes`, 120_000);
    times.push(performance.now() - begin);
  }
  return times;
}

/** Routes through the tunnel, and -1 until there is one. */
async function tunnelled({ host }: BgpHost): Promise<number> {
  const { status, stdout } = await host.run('ip', ['route', 'show', 'dev', 'vxlan.calico']);
  return status === 0 ? stdout.split('\n').length - 1 : -1;
}

/** A block comes or goes; milliseconds from etcd’s answer to the kernel’s. */
async function oneChange(
  writer: Lines,
  monitor: Lines,
  { hosts, blocks }: Size,
  rounds: number,
): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const block = blockOf(blocks + (round % hosts), hosts);
    const key = claimKey(`sim${((blocks + round) % hosts) + 1}`, block);
    const come = monitor.seen((line) => line.startsWith(block.replace('-', '/')));
    const begin = performance.now();
    await write(writer, [[key, CONFIRMED]]);
    times.push((await come) - begin);
    const gone = monitor.seen((line) => line.startsWith(`Deleted ${block.replace('-', '/')}`));
    await write(writer, [[key, null]]);
    await gone;
  }
  return times;
}

async function residentMiB(host: BgpHost): Promise<number> {
  await delay(REST_MS);
  const text = readFileSync(`/proc/${host.daemon().process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1]) / 1024;
}
