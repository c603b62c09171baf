import { established, startBgpLab, type BgpHost } from '../../test/fixtures/bgp-lab.js';
import { until } from '../../test/fixtures/until.js';
import { finding, type HostFinding } from './finding.js';
import { linesOf, undoing, type Lines } from './lab.js';

interface Way {
  readonly name: string;
  readonly pool: string;
  readonly blocks: string;
  readonly containers: string;
  readonly mode: string;
}

/** Blocks of two addresses, so that every second address takes a new one; containers from larger ones. */
const WAYS: readonly Way[] = [
  {
    ...{ name: 'BGP', pool: 'plain', mode: '' },
    ...{ blocks: '10.20.0.0/16', containers: '10.22.0.0/16' },
  },
  {
    ...{ name: 'the agent', pool: 'vxlan', mode: ', vxlanMode: Always' },
    ...{ blocks: '10.21.0.0/16', containers: '10.23.0.0/16' },
  },
];

const pool = (name: string, cidr: string, more: string): string =>
  `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: ${name}}\nspec: {cidr: ${cidr}${more}}\n---\n`;

/** How soon a block of one host is in the kernel of another, and whether the first ping to a new container is answered. */
export async function measurePropagation(
  rounds: number,
  starts: number,
  progress: (line: string) => void,
): Promise<readonly HostFinding[]> {
  const t = undoing();
  try {
    const lab = await startBgpLab(t, 2, { env: { IP6: 'none' } });
    const [one, two] = lab.hosts;
    if (one === undefined || two === undefined) throw new Error('two hosts are needed');
    for (const { pool: name, blocks, containers, mode } of WAYS) {
      await lab.apply(pool(`${name}-small`, blocks, `, blockSize: 31${mode}`));
      await lab.apply(pool(name, containers, mode));
    }
    await one.calicoctl([
      ...['ipam', 'configure', '--strictaffinity', 'true', '--max-blocks-per-host', '1000'],
    ]);
    await Promise.all([established(one, 1), established(two, 1)]);
    const monitor = linesOf(t, two.host, 'ip', ['monitor', 'route']);
    const poolIds: string[] = [];
    for (const way of WAYS) poolIds.push(await openPool(one, way));
    const times = WAYS.map((): number[] => []);
    for (let round = 0; round < rounds + 2; round += 1) {
      for (const [at, way] of WAYS.entries()) {
        const ms = await newBlock(one, way, poolIds[at] ?? '', monitor);
        // The first are of cold programs.
        if (round >= 2) times[at]?.push(ms);
      }
    }
    progress('blocks from host to host measured');
    const answered = WAYS.map((): number[] => []);
    await firstPings(one, two, starts, answered);
    progress('first pings measured');
    return WAYS.flatMap(({ name }, at) => [
      finding(
        {
          ...{ name: `a new block in another host's kernel, through ${name}`, unit: 'ms' },
          ...{ bound: 50, direction: 'at most' },
          notes: ['from the request for the address to the route in the kernel'],
        },
        times[at] ?? [],
      ),
      percentage(`first ping to a container just started, through ${name}`, answered[at] ?? []),
    ]);
  } finally {
    await t.undo();
  }
}

function percentage(name: string, answered: readonly number[]): HostFinding {
  const share = (100 * answered.reduce((sum, one) => sum + one, 0)) / answered.length;
  return {
    ...{ name, unit: '% answered', bound: 99, direction: 'at least', samples: answered },
    value: { value: share, low: share, high: share },
  };
}

/** A network on the pool of small blocks; the id of its pool. */
async function openPool(host: BgpHost, { blocks, name }: Way): Promise<string> {
  const space = { AddressSpace: 'CalicoLocalAddressSpace' };
  const { ipam, network } = host.daemon();
  const { PoolID, Pool } = await ipam.call('IpamDriver.RequestPool', {
    ...{ ...space, Pool: blocks, SubPool: '', Options: null, V6: false },
  });
  await network.call('NetworkDriver.CreateNetwork', {
    NetworkID: Buffer.from(name).toString('hex').padEnd(64, '0'),
    Options: { 'com.docker.network.generic': {} },
    IPv4Data: [{ ...space, Pool, Gateway: '' }],
    IPv6Data: [],
  });
  return String(PoolID);
}

/** Requests addresses until one lies in a block that is new; milliseconds until the other host has the route. */
async function newBlock(host: BgpHost, way: Way, poolId: string, monitor: Lines): Promise<number> {
  const { ipam } = host.daemon();
  for (;;) {
    const base = way.blocks.split('.').slice(0, 2).join('.');
    const route = new RegExp(`^${base}\\.\\d+\\.\\d+/31 `);
    const begin = performance.now();
    const seen = monitor.seen((line) => route.test(line), 5_000);
    seen.catch(() => undefined);
    const { Address } = await ipam.call('IpamDriver.RequestAddress', {
      ...{ PoolID: poolId, Address: '', Options: {} },
    });
    // The odd address of a block is its second one.
    if (Number(String(Address).replace(/\/.*/, '').split('.').at(-1)) % 2 === 0)
      return (await seen) - begin;
  }
}

/**
 * The kernel brings an interface into operation a moment after it was set up, late on a busy machine, and drops what
 * comes before. A container of Docker has that long until its first program runs.
 */
async function operational(host: BgpHost, name: string): Promise<void> {
  const up = async (): Promise<boolean> =>
    (await host.inside(name, 'ip', 'link', 'show', 'cali0')).stdout.includes('state UP');
  await until(up, 'the container’s interface');
}

async function firstPings(
  one: BgpHost,
  two: BgpHost,
  starts: number,
  answered: readonly number[][],
): Promise<void> {
  const network = (way: Way): { readonly prefix: string; readonly subnet: string } => ({
    prefix: (way.pool === 'plain' ? 'b' : 'c').repeat(12),
    subnet: way.containers,
  });
  for (const way of WAYS) await one.container(network(way), `from-${way.pool}`);
  for (let start = 0; start < starts; start += 1) {
    for (const [at, way] of WAYS.entries()) {
      const name = `to-${way.pool}-${start}`;
      const address = await two.container(network(way), name);
      await operational(two, name);
      const ping = ['-n', '-c', '1', '-W', '1', address];
      const { status } = await one.inside(`from-${way.pool}`, 'ping', ...ping);
      answered[at]?.push(status === 0 ? 1 : 0);
    }
  }
}
