import { startBgpLab, type BgpHost } from '../../test/fixtures/bgp-lab.js';
import { fabricAddress } from '../../test/fixtures/fabric.js';
import { until } from '../../test/fixtures/until.js';
import { ratioFinding, type HostFinding } from './finding.js';
import { byHand, type HandMade } from './hand-made.js';
import { linesOf, undoing, type Lines, type Undoing } from './lab.js';
import { comparePaths } from './packet-path.js';

const PORT = 5201;
/** Long enough for TCP to be at its full rate, short enough for both of a pair to see the same machine. */
const SENDING_MS = 400;
const WARM_UP = 2;

/** Tells of each connection how many bytes per second came. */
const SINK = `
require('node:net').createServer((socket) => {
  let bytes = 0;
  let first;
  socket.on('data', (chunk) => {
    first ??= process.hrtime.bigint();
    bytes += chunk.length;
  });
  socket.on('error', () => socket.destroy());
  socket.on('end', () => console.log('rate', bytes / (Number(process.hrtime.bigint() - first) / 1e9)));
}).listen(${PORT}, () => console.log('ready'));
`;

/** Sends as much as goes for a while, each time it is told where to. */
const SOURCE = `
const chunk = Buffer.alloc(1 << 20);
require('node:readline').createInterface({ input: process.stdin }).on('line', (host) => {
  const socket = require('node:net').connect({ host, port: ${PORT} }, () => {
    const end = performance.now() + ${SENDING_MS};
    const more = () => {
      while (performance.now() < end) if (!socket.write(chunk)) return;
      socket.end();
    };
    socket.on('drain', more);
    more();
  });
  socket.on('error', (error) => console.error(error.message));
});
console.log('ready');
`;

interface Stream {
  readonly source: Lines;
  readonly sink: Lines;
  readonly to: string;
}

/** TCP between containers of two hosts, beside the same made by hand on the same hosts, taking turns. */
export async function measureThroughput(
  rounds: number,
  progress: (line: string) => void,
): Promise<readonly HostFinding[]> {
  const found: HostFinding[] = [];
  for (const vxlan of [false, true]) {
    const t = undoing();
    try {
      found.push(await measureOne(t, vxlan, rounds));
      progress(`throughput ${vxlan ? 'in VXLAN' : 'without encapsulation'} measured`);
    } finally {
      await t.undo();
    }
  }
  return found;
}

async function measureOne(t: Undoing, vxlan: boolean, rounds: number): Promise<HostFinding> {
  const lab = await startBgpLab(t, 2, { env: { IP6: 'none' } });
  const mode = vxlan ? ', vxlanMode: Always' : '';
  await lab.apply(
    `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p}\nspec: {cidr: 10.20.0.0/16${mode}}\n`,
  );
  const [one, two] = lab.hosts;
  if (one === undefined || two === undefined) throw new Error('two hosts are needed');
  if (vxlan) {
    for (const host of lab.hosts) {
      const there = async (): Promise<boolean> =>
        (await host.run('ip', ['link', 'show', 'vxlan.calico'])).status === 0;
      await until(there, 'the tunnel');
    }
  }
  const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };
  for (const host of lab.hosts) await host.container(network, 'ours');
  const own = await two.inside('ours', 'ip', '-4', '-o', 'addr', 'show', 'cali0');
  const ours = /inet ([\d.]+)/.exec(own.stdout)?.[1] ?? '';
  const hand = await byHand([one, two], [1, 2].map(fabricAddress), vxlan);
  const streams = {
    ours: await stream(t, [one, two], 'ours', ours),
    hand: await stream(t, [one, two], 'hand', hand.to),
  };
  await until(async () => (await pings(one, 'ours', ours)) && pings(one, 'hand', hand.to), 'both');
  const pairs: [number, number][] = [];
  // Rates differ more from moment to moment than anything else here.
  for (let round = 0; round < 2 * rounds + WARM_UP; round += 1) {
    // Whoever is second has no advantage from it in the long run.
    const first = round % 2 === 0 ? await rate(streams.ours) : undefined;
    const other = await rate(streams.hand);
    const mine = first ?? (await rate(streams.ours));
    if (round >= WARM_UP) pairs.push([mine, other]);
  }
  return describe(vxlan, pairs, await comparePaths(one, pathOf(hand, vxlan)));
}

const pathOf = ({ devices }: HandMade, vxlan: boolean) => [
  { hop: 'in the container', ours: ['ours', 'cali0'], hand: ['hand', 'e0'] } as const,
  { hop: 'its host end', ours: ['', 'cali*'], hand: ['', devices.host] } as const,
  ...(vxlan
    ? [{ hop: 'tunnel', ours: ['', 'vxlan.calico'], hand: ['', devices.tunnel] } as const]
    : []),
];

function describe(
  vxlan: boolean,
  pairs: readonly (readonly [number, number])[],
  differences: readonly string[],
): HostFinding {
  const mean = (at: 0 | 1): string =>
    (pairs.reduce((sum, pair) => sum + pair[at], 0) / pairs.length / 125e6).toFixed(1);
  return ratioFinding(
    {
      name: `throughput ${vxlan ? 'in VXLAN' : 'without encapsulation'}, of one made by hand`,
      ...{ unit: '×', bound: 0.95, direction: 'at least' },
      notes: [
        `ours ${mean(0)}, by hand ${mean(1)} Gbit/s`,
        differences.length === 0
          ? 'packet path: the same devices, queues, offloads and MTU at each hop'
          : `packet path differs: ${differences.join('; ')}`,
      ],
    },
    pairs,
  );
}

async function stream(
  t: Undoing,
  [from, to]: readonly [BgpHost, BgpHost],
  namespace: string,
  address: string,
): Promise<Stream> {
  const sink = linesOf(t, to.host, process.execPath, ['-e', SINK], namespace);
  const source = linesOf(t, from.host, process.execPath, ['-e', SOURCE], namespace);
  await Promise.all([sink, source].map((one) => one.seen((line) => line === 'ready')));
  return { sink, source, to: address };
}

async function rate({ source, sink, to }: Stream): Promise<number> {
  let bytes = Number.NaN;
  const told = sink.seen((line) => {
    if (!line.startsWith('rate ')) return false;
    bytes = Number(line.slice(5));
    return true;
  });
  source.write(to);
  await told;
  return bytes;
}

async function pings(host: BgpHost, from: string, to: string): Promise<boolean> {
  return (await host.inside(from, 'ping', '-n', '-c', '1', '-W', '1', to)).status === 0;
}
