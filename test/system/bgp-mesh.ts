import t, { type Test } from 'tap';
import { startBgpLab, type BgpHost, type BgpLab } from '../fixtures/bgp-lab.js';
import { fabricAddress } from '../fixtures/fabric.js';
import { findProgram, labObstacle } from '../fixtures/lab-host.js';
import { until } from '../fixtures/until.js';

const needed = ['bird', 'birdc', 'etcd'].find((program) => findProgram(program) === undefined);
const skip = labObstacle() ?? (needed === undefined ? false : `needs the program ${needed}`);

const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };
const POOLS = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: plain}
spec: {cidr: 10.20.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: six}
spec: {cidr: "fd00:20::/48"}
`;

t.test('three hosts in a mesh', { skip }, async (t) => {
  const lab = await startBgpLab(t, 3);
  await lab.apply(POOLS);
  await t.test('every session comes up', (t) => meshed(t, lab));
  const addresses: string[] = [];
  for (const [at, host] of lab.hosts.entries()) {
    addresses.push(await host.container(network, `box${at}`));
  }
  await t.test('each host has the blocks of the others', (t) => blocks(t, lab, addresses));
});

async function meshed(t: Test, { hosts }: BgpLab): Promise<void> {
  for (const [at, host] of hosts.entries()) {
    await established(host, 4);
    const others = [1, 2, 3].filter((index) => index !== at + 1);
    const names = others.flatMap((index) => [
      `Mesh_172_16_60_${214 + index}`,
      `Mesh_fd60__${214 + index}`,
    ]);
    t.same(Object.keys(await host.sessions()).sort(), names.sort(), host.host.name);
    t.match((await host.status()).bgp, { state: 'running' });
  }
}

async function established(host: BgpHost, count: number): Promise<void> {
  await until(
    async () => {
      const infos = Object.values(await host.sessions());
      return infos.length === count && infos.every((info) => info === 'Established');
    },
    `${count} sessions of ${host.host.name}`,
    20_000,
  );
}

async function blocks(t: Test, { hosts }: BgpLab, addresses: readonly string[]): Promise<void> {
  const own = addresses.map((address) =>
    address.replace(/\d+$/, (last) => `${Number(last) & 192}/26`),
  );
  for (const [at, host] of hosts.entries()) {
    const wanted = own.map((block, index) =>
      index === at ? `blackhole ${block}` : `${block} via ${fabricAddress(index + 1)} dev eth0`,
    );
    await until(async () => {
      const found = await host.birdRoutes();
      return wanted.every((line) => found.some((route) => route.startsWith(line)));
    }, `the blocks on ${host.host.name}`);
    t.equal((await host.birdRoutes()).length, 3, 'and nothing else');
    for (const address of addresses) {
      const { status, stdout } = await host.inside(
        `box${at}`,
        'ping',
        '-c',
        '1',
        '-W',
        '2',
        address,
      );
      t.equal(status, 0, `${addresses[at]} reaches ${address}: ${stdout}`);
    }
  }
}
