import t from 'tap';
import { silentLog, systemClock } from '../../src/base/index.js';
import {
  Catalog,
  createPoolRequests,
  makePoolId,
  parsePoolId,
  PoolUseBook,
} from '../../src/ipam/index.js';
import { Cidr } from '../../src/model/index.js';
import { clusterOf } from '../fixtures/stored-objects.js';

function requests(pools: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>) {
  const catalog = new Catalog('node1', silentLog);
  const entries = Object.entries(clusterOf(['node1'], pools)).map(
    ([key, value], index) => [key, { key, value, revision: BigInt(index + 1) }] as const,
  );
  catalog.onSnapshot(new Map(entries));
  const uses = new PoolUseBook();
  return { uses, request: createPoolRequests({ catalog, uses, clock: systemClock }) };
}

t.test('a PoolID says by itself which pool, family and range it means', async (t) => {
  for (const parts of [
    { poolName: undefined, family: 4 as const },
    { poolName: 'a.v4.b', family: 6 as const },
    { poolName: 'p', family: 4 as const, range: Cidr.parse('10.20.0.64/26') },
    { poolName: 'p', family: 6 as const, range: Cidr.parse('fd00::40/122') },
  ]) {
    const made = makePoolId(parts, '0123456789ab');
    const read = parsePoolId(made.text);
    t.equal(read.poolName, parts.poolName);
    t.equal(read.family, parts.family);
    t.equal(String(read.range), String(parts.range));
    t.ok(read.own);
  }
  t.match(parsePoolId('CalicoPoolIPv6'), { family: 6, poolName: undefined, own: false });
  t.match(parsePoolId('net1'), { poolName: 'net1', own: false });
});

t.test('a subnet must be a pool, and the answer names what exists', async (t) => {
  const { request } = requests({
    net1: '10.20.0.0/16',
    off: { cidr: '10.30.0.0/16', disabled: true },
  });
  const answer = request({ Pool: '10.20.0.0/16' });
  t.equal(answer.Pool, '10.20.0.0/16');
  t.match(answer.PoolID, /^net1\.v4\./);
  t.not(
    request({ Pool: '10.20.0.0/16' }).PoolID,
    answer.PoolID,
    'each request has a PoolID of its own',
  );
  t.throws(
    () => request({ Pool: '10.21.0.0/16' }),
    /no IP pool has the CIDR 10\.21\.0\.0\/16; pools: net1 \(10\.20\.0\.0\/16\), off .*calicoctl create/,
  );
  t.throws(() => request({ Pool: '10.30.0.0/16' }), /disabled/);
  t.throws(() => request({ Pool: '10.20.0.5/16' }), /host bits/);
  t.throws(() => request({ Pool: 'fd00::/64' }), /no IPv4 network/);
  t.throws(() => request({ Pool: '10.20.0.0/16', SubPool: '10.21.0.0/24' }), /not inside/);
  t.throws(
    () => request({ Pool: '10.20.0.0/16', Options: { color: 'red' } }),
    /unknown --ipam-opt color/,
  );
});

t.test(
  'without a subnet any automatic pool serves, and Docker’s endless repetition is cut off',
  async (t) => {
    const { request } = requests({ v4: '10.20.0.0/16', v6: 'fd00:20::/64' });
    t.match(request({}), { Pool: '0.0.0.0/0', PoolID: /^auto\.any4\./ });
    t.match(request({ V6: true }), { Pool: 'fd00:20::/64', PoolID: /^auto\.any6\./ });
    const same = (): unknown => request({ Pool: '', V6: false, AddressSpace: 'loop' });
    for (let count = 0; count < 20; count += 1) same();
    t.throws(same, /more than 20 times in a second/);
    t.throws(
      () => requests({ v6: 'fd00:20::/64' }).request({}),
      /no IPv4 pool is open to node node1/,
    );
  },
);

t.test('a pool that no network of ours took belongs to another driver', async (t) => {
  const { uses, request } = requests({ net1: '10.20.0.0/16' });
  const ours = request({ Pool: '10.20.0.0/16' }).PoolID;
  t.match(
    uses.adopt([{ pool: '10.20.0.0/16' }]),
    [{ poolId: ours }],
    'a network takes the newest request',
  );
  const bridge = request({ Pool: '10.20.0.0/16' }).PoolID;
  t.equal(uses.userOf(ours), 'ours');
  t.equal(uses.userOf(bridge), 'foreign');
  t.equal(uses.userOf('CalicoPoolIPv4'), 'ours', 'a predecessor’s network');
  uses.released(ours);
  t.equal(uses.userOf(ours), 'unknown', 'after its network was removed');
});

t.test('two requests for one pool at once: either may be the network’s', async (t) => {
  const { uses, request } = requests({ net1: '10.20.0.0/16' });
  const [one, two] = [
    request({ Pool: '10.20.0.0/16' }).PoolID,
    request({ Pool: '10.20.0.0/16' }).PoolID,
  ];
  uses.adopt([{ pool: '10.20.0.0/16' }]);
  t.same([uses.userOf(one), uses.userOf(two)], ['ours', 'ours']);
});
