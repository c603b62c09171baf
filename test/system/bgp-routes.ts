import t, { type Test } from 'tap';
import {
  bgpObstacle,
  established,
  startBgpLab,
  type BgpHost,
  type BgpLab,
} from '../fixtures/bgp-lab.js';
import { v3 } from '../fixtures/bgp-facts.js';
import { fabricAddress, fabricAddress6 } from '../fixtures/fabric.js';
import { putKey } from '../fixtures/lab-etcd.js';
import { until } from '../fixtures/until.js';

const skip = bgpObstacle() ?? false;
const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };

const POOLS = [
  v3('IPPool', 'plain', '{cidr: 10.20.0.0/16}'),
  v3('IPPool', 'six', '{cidr: "fd00:20::/48"}'),
  v3('IPPool', 'tunnelled', '{cidr: 10.21.0.0/16, vxlanMode: Always}'),
  v3('IPPool', 'private', '{cidr: 10.22.0.0/16, disableBGPExport: true}'),
].join('');

t.test('which routes go where', { skip }, async (t) => {
  const lab = await startBgpLab(t, 3, { env: { CALICO_LIBNETWORK_BGP_BFD: 'true' } });
  await lab.apply(POOLS);
  for (const host of lab.hosts) await established(host, 4);
  await t.test('blocks of every kind', (t) => blocks(t, lab));
  await t.test('an address out of another host’s block', (t) => borrowed(t, lab));
  await t.test('communities and filters', (t) => communities(t, lab));
  await t.test('a host that falls silent', (t) => silent(t, lab));
});

/** Says that a host owns a block. */
function own(lab: BgpLab, node: string, family: 4 | 6, block: string): Promise<void> {
  const [first] = lab.hosts;
  if (first === undefined) throw new Error('no host');
  const key = `/calico/ipam/v2/host/${node}/ipv${family}/block/${block.replace('/', '-')}`;
  return putKey(first.host, key, { state: 'confirmed', deleted: false });
}

/** Networks in BIRD's own table. */
async function known(host: BgpHost): Promise<string> {
  const { stdout } = await host.run('birdc', [
    '-s',
    '/run/calico/bird.ctl',
    'show',
    'route',
    'all',
  ]);
  return stdout;
}

async function blocks(t: Test, lab: BgpLab): Promise<void> {
  const [first, second] = lab.hosts;
  if (first === undefined || second === undefined) throw new Error('no hosts');
  await own(lab, 'node1', 6, 'fd00:20::40/122');
  await own(lab, 'node1', 4, '10.21.5.0/26');
  await own(lab, 'node1', 4, '10.22.5.0/26');
  await own(lab, 'node1', 4, '10.20.200.0/26');
  await own(lab, 'node1', 4, '10.20.201.0/26');
  await until(
    async () =>
      (await second.birdRoutes(6))
        .join()
        .includes(`fd00:20::40/122 via ${fabricAddress6(1)} dev eth0`),
    'the IPv6 block',
  );
  await until(async () => (await known(second)).includes('10.20.200.0/26'), 'the plain block');
  const table = await known(second);
  t.match(table, '10.21.5.0/26', 'a block with tunnels is told, for routers');
  t.notMatch(table, '10.22.5.0/26', 'one that is not to be exported is not');
  t.notMatch(table, '172.16.60.0/24 .*BGP', 'nor is a network of the hosts');
  const kernel = (await second.birdRoutes()).join('\n');
  t.match(kernel, `10.20.200.0/26 via ${fabricAddress(1)} dev eth0`);
  t.notMatch(kernel, '10.21.5.0/26', 'whose routes are the agent’s');
  t.match((await first.birdRoutes(6)).join('\n'), 'blackhole fd00:20::40/122');
}

async function borrowed(t: Test, lab: BgpLab): Promise<void> {
  const [first, second, third] = lab.hosts;
  if (first === undefined || second === undefined || third === undefined)
    throw new Error('no hosts');
  const address = await first.container(network, 'owner');
  const next = address.replace(/\d+$/, (last) => String(Number(last) + 1));
  t.equal(await second.container(network, 'borrower', next), next);
  for (const host of [first, third]) {
    await until(
      async () =>
        (await host.birdRoutes()).join().includes(`${next} via ${fabricAddress(2)} dev eth0`),
      `the route to the borrowed address on ${host.host.name}`,
    );
  }
  const { status } = await second.inside('borrower', 'ping', '-c', '1', '-W', '2', address);
  t.equal(status, 0, 'borrower and owner reach each other');
}

async function communities(t: Test, lab: BgpLab): Promise<void> {
  const [, , third] = lab.hosts;
  if (third === undefined) throw new Error('no host');
  const advertised = '{cidr: 10.20.0.0/16, communities: [mine, "64512:7"]}';
  const spec = `{communities: [{name: mine, value: "64512:1:2"}], prefixAdvertisements: [${advertised}]}`;
  await lab.apply(v3('BGPConfiguration', 'default', spec));
  await until(async () => {
    const table = await known(third);
    return table.includes('BGP.community: (64512,7)') && table.includes('(64512, 1, 2)');
  }, 'the communities');
  const kept = '10.20.201.0/26';
  t.match((await third.birdRoutes()).join('\n'), kept);
  await lab.apply(
    v3(
      'BGPFilter',
      'no-such-block',
      `{importV4: [{action: Reject, matchOperator: In, cidr: ${kept}}]}`,
    ) +
      v3(
        'BGPPeer',
        'one',
        `{node: node3, peerIP: ${fabricAddress(1)}, asNumber: 64512, filters: [no-such-block]}`,
      ),
  );
  const filtered = async (): Promise<boolean> => {
    const routes = (await third.birdRoutes()).join('\n');
    return !routes.includes(kept) && routes.includes(`10.20.200.0/26 via ${fabricAddress(1)}`);
  };
  await until(filtered, 'that block alone to be filtered', 30_000);
}

async function silent(t: Test, lab: BgpLab): Promise<void> {
  const [first, second] = lab.hosts;
  if (first === undefined || second === undefined) throw new Error('no hosts');
  const through = async (): Promise<boolean> =>
    (await second.birdRoutes()).join('\n').includes(`via ${fabricAddress(1)} `);
  t.ok(await through(), 'its routes are there');
  await lab.fabric.cut(1);
  const begin = performance.now();
  // Without BFD nothing would be noticed for the 90 s of BGP's hold time (test/long/host-loss.ts).
  await until(async () => !(await through()), 'its routes to go', 20_000);
  t.comment(`gone after ${Math.round(performance.now() - begin)} ms`);
  await lab.fabric.heal(1);
  await until(through, 'its routes to return', 40_000);
}
