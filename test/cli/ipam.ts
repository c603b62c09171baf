import t from 'tap';
import { affinityKey, blockKey, handleKey, nodeHoldKey } from '../../src/datastore/index.js';
import { Address, BlockEdit, Cidr, newBlock, usedOf } from '../../src/model/index.js';
import {
  blockAttribute,
  decodeBlock,
  encodeAffinity,
  encodeBlock,
  encodeHandle,
} from '../../src/model/v3/index.js';
import { cliOn } from '../fixtures/cli-run.js';
import { createMemoryStore, type MemoryStore } from '../fixtures/memory-store.js';

const NOW = Date.parse('2026-11-20T22:00:00Z');
const V3 = 'apiVersion: projectcalico.org/v3\n';
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const BLOCK = Cidr.parse('10.20.0.64/26');

interface Held {
  readonly address: string;
  readonly handle?: string;
  readonly attributes?: Record<string, string>;
}

/** A block of node1 with these addresses, its claim and its handles. */
function putBlock(store: MemoryStore, cidr: Cidr, held: readonly Held[], node = 'node1'): void {
  const edit = new BlockEdit(newBlock(cidr, `host:${node}`, NOW));
  for (const { address, handle, attributes = {} } of held) {
    // Docker's older plugins leave no handle and no attributes.
    const nameless = { handle: undefined, secondary: {}, text: '{}' };
    const attribute = handle === undefined ? nameless : blockAttribute(handle, attributes);
    edit.claim(Address.parse(address), attribute);
    if (handle !== undefined) {
      store.put(handleKey(handle), encodeHandle(new Map([[cidr.toString(), 1]])));
    }
  }
  store.put(blockKey(cidr), encodeBlock(edit.finish()));
  store.put(affinityKey(node, cidr), encodeAffinity('confirmed'));
}

async function withPool(): Promise<{ store: MemoryStore; cli: ReturnType<typeof cliOn> }> {
  const store = createMemoryStore();
  const cli = cliOn(store);
  const stdin = `${V3}kind: IPPool\nmetadata: {name: pool1}\nspec: {cidr: 10.20.0.0/16}\n`;
  await cli('create -f -', { stdin });
  return { store, cli };
}

const HELD: readonly Held[] = [
  { address: '10.20.0.64', handle: 'docker.node1.aa', attributes: { node: 'node1' } },
  { address: '10.20.0.65', handle: 'docker.node2.bb', attributes: { node: 'node2' } },
  { address: '10.20.0.66' },
];

t.test('ipam show', async (t) => {
  const { store, cli } = await withPool();
  putBlock(store, BLOCK, HELD);
  putBlock(store, Cidr.parse('10.99.0.0/26'), []);
  t.equal(
    (await cli('ipam show')).out,
    `+----------+--------------+-----------+------------+--------------+--------------+
| GROUPING | CIDR         | IPS TOTAL | IPS IN USE | IPS RESERVED | IPS FREE     |
+----------+--------------+-----------+------------+--------------+--------------+
| IP Pool  | 10.20.0.0/16 |     65536 |     3 (0%) |       0 (0%) | 65533 (100%) |
+----------+--------------+-----------+------------+--------------+--------------+
`,
  );
  const stdin = `${V3}kind: IPReservation\nmetadata: {name: r}\nspec: {reservedCIDRs: [10.20.0.64/30, 10.20.0.0/30, 10.20.0.0/32]}\n`;
  await cli('create -f -', { stdin });
  const blocks = (await cli('ipam show --show-blocks')).out.split('\n');
  t.match(blocks[3], '| IP Pool  | 10.20.0.0/16  |     65536 |     3 (0%) |       5 (0%) |');
  t.match(
    blocks[4],
    '| Block    | 10.20.0.64/26 |        64 |     3 (5%) |       1 (2%) |     60 (94%) |',
  );
  t.match(blocks[5], '| Block    | 10.99.0.0/26  |        64 |     0 (0%) |', 'a block of no pool');
});

t.test('a large pool is counted right', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  const stdin = `${V3}kind: IPPool\nmetadata: {name: six}\nspec: {cidr: "fd00:20::/64"}\n`;
  await cli('create -f -', { stdin });
  t.match((await cli('ipam show')).out, /fd00:20::\/64 \| 1.8447e\+19 \|.*\| 1.8447e\+19 \(100%\)/);
});

t.test('who holds an address', async (t) => {
  const { store, cli } = await withPool();
  putBlock(store, BLOCK, HELD);
  t.equal(
    (await cli('ipam show --ip=10.20.0.64')).out,
    'IP 10.20.0.64 is in use\nHandle ID: docker.node1.aa\nActive Owner Attributes:\n  node: node1\n',
  );
  t.equal((await cli('ipam show --ip=10.20.0.66')).out, 'IP 10.20.0.66 is in use\n');
  t.same(await cli('ipam show --ip 10.20.0.99'), {
    status: 0,
    out: '10.20.0.99 is not assigned\n',
    err: '',
  });
  t.match(await cli('ipam show --ip=banana'), {
    status: 1,
    err: /invalid IP address specified: banana/,
  });
  const borrowed = (await cli('ipam show --show-borrowed')).out;
  t.match(borrowed, '| 10.20.0.65 | node2          | 10.20.0.64/26 | node1       |');
  t.match(borrowed, /Note: 1 addresses say nothing/);
});

t.test('ipam configure', async (t) => {
  const { store, cli } = await withPool();
  const config = '/calico/ipam/v2/config';
  t.match(await cli('ipam configure'), { status: 1, err: /at least one configuration option/ });
  t.match(await cli('ipam configure --strictaffinity=maybe'), { err: /Use true or false/ });
  t.same(await cli('ipam configure --strictaffinity=true --max-blocks-per-host=4'), {
    status: 0,
    out: 'Successfully set StrictAffinity to: true\nSuccessfully set MaxBlocksPerHost to: 4\n',
    err: '',
  });
  t.same(JSON.parse(store.dump()[config] ?? ''), {
    strict_affinity: true,
    auto_allocate_blocks: true,
    maxBlocksPerHost: 4,
  });
  t.match(await cli('ipam configure --strictaffinity=false'), {
    status: 1,
    err: /MaxBlocksPerHost requires StrictAffinity/,
  });
  store.put(config, '{"strict_affinity":true,"auto_allocate_blocks":true,"future":1}');
  await cli('ipam configure --strictaffinity=false');
  t.same(JSON.parse(store.dump()[config] ?? ''), { auto_allocate_blocks: true, future: 1 });
  t.match((await cli('ipam show --show-configuration')).out, /\| StrictAffinity +\| false/);
});

t.test('ipam release', async (t) => {
  const { store, cli } = await withPool();
  putBlock(store, BLOCK, HELD);
  t.same(await cli('ipam release --ip=10.20.0.64'), {
    status: 0,
    out: 'Successfully released IP address 10.20.0.64\n',
    err: '',
  });
  const block = decodeBlock(store.dump()[blockKey(BLOCK)] ?? '', NOW);
  t.equal(usedOf(block), 2);
  t.notOk(store.dump()[handleKey('docker.node1.aa')], 'the handle goes with its last address');
  t.ok(store.dump()[handleKey('docker.node2.bb')]);
  t.match(await cli('ipam release --ip=10.20.0.64'), {
    status: 1,
    err: /IP address 10.20.0.64 is not assigned/,
  });
  t.match(await cli('ipam release --ip=banana'), { status: 1 });
  t.match(await cli('ipam release'), { status: 1, err: /give the address/ });
  const stdin = `${V3}kind: WorkloadEndpoint\nmetadata: {}\nspec: {orchestrator: o, workload: w, node: node2, endpoint: e, interfaceName: cali1, ipNetworks: [10.20.0.65/32]}\n`;
  await cli('create -f -', { stdin });
  t.match(await cli('ipam release --ip=10.20.0.65'), {
    status: 1,
    err: /belongs to endpoint default\/.*node2/,
  });
  t.match(await cli('ipam release --ip=10.20.0.65 --force'), { status: 0 });
});

t.test('a pool goes with its blocks, and not with the addresses in them', async (t) => {
  const { store, cli } = await withPool();
  putBlock(store, BLOCK, HELD);
  const empty = Cidr.parse('10.20.0.128/26');
  const elsewhere = Cidr.parse('10.99.0.0/26');
  putBlock(store, empty, [], 'node2');
  putBlock(store, elsewhere, []);
  const { status, out, err } = await cli('delete ippool pool1');
  t.equal(status, 0);
  t.equal(out, "Successfully deleted 1 'IPPool' resource(s)\n");
  t.match(err, /note: 3 addresses of 10.20.0.0\/16 are still in use/);
  const left = store.dump();
  t.notOk(left[`${RESOURCES}/ippools/pool1`]);
  t.notOk(left[affinityKey('node1', BLOCK)]);
  t.notOk(left[blockKey(empty)], 'an empty block goes');
  t.ok(left[blockKey(elsewhere)]);
  t.ok(left[affinityKey('node1', elsewhere)], 'blocks of other pools stay');
  const block = decodeBlock(left[blockKey(BLOCK)] ?? '', NOW);
  t.equal(block.affinity, null);
  t.equal(usedOf(block), 3);
  const stdin = `${V3}kind: IPPool\nmetadata: {name: again}\nspec: {cidr: 10.20.0.0/16, blockSize: 28}\n`;
  t.match(await cli('create -f -', { stdin }), {
    status: 1,
    err: /block 10.20.0.64\/26 of an earlier pool.*use blockSize 26/,
  });
});

t.test('a pool that somebody changes meanwhile is not deleted by an old document', async (t) => {
  const { store, cli } = await withPool();
  const stdin = (await cli('get ippool pool1 -o yaml')).out;
  await cli(`patch ippool pool1 -p '{"spec":{"natOutgoing":true}}'`);
  t.match(await cli('delete -f -', { stdin }), { status: 1, err: /update conflict/ });
  t.match(store.dump()[`${RESOURCES}/ippools/pool1`], '"natOutgoing":true');
  t.notMatch(store.dump()[`${RESOURCES}/ippools/pool1`], '"disabled"');
});

t.test('a node goes with what is its own', async (t) => {
  const { store, cli } = await withPool();
  const objects = ['node1', 'node2'].map(
    (name) =>
      `${V3}kind: Node\nmetadata: {name: ${name}}\nspec: {bgp: {ipv4IPIPTunnelAddr: 10.20.0.66}}\n`,
  );
  const endpoint = `${V3}kind: WorkloadEndpoint\nmetadata: {}\nspec: {orchestrator: o, workload: w, node: node1, endpoint: e, interfaceName: cali1, ipNetworks: [10.20.0.64/32, 10.20.0.65/32]}\n`;
  await cli('create -f -', { stdin: [...objects, endpoint].join('---\n') });
  putBlock(store, BLOCK, HELD);
  const own = [
    `${RESOURCES}/felixconfigurations/node.node1`,
    `${RESOURCES}/bgppeers/p1`,
    `${RESOURCES}/hostendpoints/h1`,
  ];
  const others = [`${RESOURCES}/felixconfigurations/default`, `${RESOURCES}/bgppeers/p2`];
  for (const [at, key] of [...own, ...others].entries()) {
    const node = at < own.length ? 'node1' : 'node2';
    store.put(key, `{"kind":"X","metadata":{"name":"x"},"spec":{"node":"${node}"}}`);
  }
  store.put(nodeHoldKey('node1'), 'host uuid');
  t.match(await cli('delete node node1'), { status: 1, err: /daemon of node node1 is running/ });
  store.delete(nodeHoldKey('node1'));
  t.match(await cli('delete node node1'), { status: 0 });
  const left = store.dump();
  for (const key of own) t.notOk(left[key], key);
  for (const key of others) t.ok(left[key], key);
  t.notOk(left[`${RESOURCES}/nodes/node1`]);
  t.ok(left[`${RESOURCES}/nodes/node2`]);
  t.notOk(left[affinityKey('node1', BLOCK)]);
  const block = decodeBlock(left[blockKey(BLOCK)] ?? '', NOW);
  t.equal(block.affinity, null);
  t.equal(usedOf(block), 1, 'the address of another node stays');
  t.equal((await cli('get wep -A -o json')).out.includes('node1'), false);
});

t.test('ipam check', async (t) => {
  const { store, cli } = await withPool();
  putBlock(store, BLOCK, HELD);
  const stdin = `${V3}kind: WorkloadEndpoint
metadata: { name: node1-libnetwork-libnetwork-a, namespace: default }
spec: { node: node1, orchestrator: libnetwork, workload: libnetwork, endpoint: a, interfaceName: calia, ipNetworks: [10.20.0.64/32, 10.20.9.9/32, 192.0.2.7/32] }
`;
  t.equal((await cli('create -f -', { stdin })).status, 0);
  store.put(handleKey('docker.gone.cc'), encodeHandle(new Map([['10.20.0.64/26', 1]])));
  const { status, out, err } = await cli('ipam check --show-problem-ips');
  t.same({ status, err }, { status: 0, err: '' });
  t.match(out, 'IPAM blocks record 3 allocations.');
  t.match(out, '  10.20.0.65 leaked: handle docker.node2.bb, node node2\n');
  t.match(out, '  10.20.0.66 leaked: handle (none), node (not said)\n');
  t.match(out, 'Found 2 IPs that are allocated in IPAM but not actually in use.');
  t.match(out, '  192.0.2.7 not in an active pool: endpoint default/node1-libnetwork');
  t.match(out, '  10.20.9.9 not allocated: endpoint default/');
  t.match(out, '  docker.gone.cc\nFound 1 handles with no matching IPs.');
  t.match(out, 'Check complete; found 5 problems.');
});
