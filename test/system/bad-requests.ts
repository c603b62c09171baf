import t, { type Test } from 'tap';
import { startBareHost } from '../fixtures/bare-host.js';
import type { CalicoHost } from '../fixtures/calico-host.js';
import { engineObstacle } from '../fixtures/docker-engine.js';
import { EngineError, type Answer, type EngineClient } from '../fixtures/engine-client.js';
import { hostInterfaces } from '../fixtures/kernel-view.js';
import { allocations, dumpStore, endpoints } from '../fixtures/store-view.js';

const SPACE = 'CalicoLocalAddressSpace';
const MAC_OPTION = 'com.docker.network.endpoint.macaddress';

const poolOf = (name: string, cidr: string, more: object = {}): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name },
  spec: { cidr, ...more },
});
const POOLS = [
  poolOf('red', '10.61.0.0/24'),
  poolOf('tiny', '10.62.0.0/29', { blockSize: 29 }),
  poolOf('closed', '10.63.0.0/24', { disabled: true }),
];

t.test('requests that cannot be met', { skip: engineObstacle('20.10') ?? false }, async (t) => {
  const host = await startBareHost(t);
  const made = await host.calicoctl(['create', '-f', '-'], JSON.stringify(POOLS));
  t.equal(made.status, 0, made.stderr);
  await t.test('pools', (t) => pools(t, host));
  const red = await network(host, 'a', '10.61.0.0/24');
  await t.test('addresses', (t) => addresses(t, host, red));
  await t.test('endpoints', (t) => badEndpoints(t, host, red));
  await t.test('a pool that is full', (t) => full(t, host));
  t.same([...allocations(await dumpStore(host))], [], 'nothing is taken');
});

async function refusal(client: EngineClient, method: string, body: Answer): Promise<string> {
  const error: unknown = await client.call(method, body).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error.message;
  throw new Error(`${method} ${JSON.stringify(body)} was not refused: ${String(error)}`);
}

interface Net {
  readonly NetworkID: string;
  readonly PoolID: string;
}

async function network(host: CalicoHost, letter: string, subnet: string): Promise<Net> {
  const { network: driver, ipam } = host.daemon();
  const request = { AddressSpace: SPACE, Pool: subnet, SubPool: '', V6: false };
  const { PoolID, Pool } = await ipam.call('IpamDriver.RequestPool', request);
  const NetworkID = letter.repeat(64);
  const IPv4Data = [{ AddressSpace: SPACE, Pool, Gateway: '169.254.1.1/32' }];
  await driver.call('NetworkDriver.CreateNetwork', { NetworkID, Options: {}, IPv4Data });
  return { NetworkID, PoolID: String(PoolID) };
}

async function pools(t: Test, host: CalicoHost): Promise<void> {
  const cases: readonly (readonly [string, Answer, RegExp])[] = [
    ['no CIDR', { Pool: 'red' }, /"?red"? is no|CIDR/],
    ['host bits', { Pool: '10.61.0.5/24' }, /10\.61\.0\.5\/24/],
    ['too long', { Pool: '10.61.0.0/33' }, /10\.61\.0\.0\/33/],
    [
      'half of a pool',
      { Pool: '10.61.0.0/25' },
      /no IP pool has the CIDR 10\.61\.0\.0\/25; pools: .*red \(10\.61\.0\.0\/24\)/,
    ],
    ['more than a pool', { Pool: '10.0.0.0/8' }, /no IP pool has the CIDR 10\.0\.0\.0\/8/],
    ['the wrong family', { Pool: '10.61.0.0/24', V6: true }, /is no IPv6 network/],
    ['a disabled one', { Pool: '10.63.0.0/24' }, /closed.*disabled|disabled.*closed/],
    [
      'a range beside it',
      { Pool: '10.61.0.0/24', SubPool: '10.64.0.0/28' },
      /--ip-range 10\.64\.0\.0\/28 is not inside/,
    ],
    ['a range that is none', { Pool: '10.61.0.0/24', SubPool: 'some' }, /some/],
    ['a range without a subnet', { Pool: '', SubPool: '10.61.0.0/28' }, /--subnet/],
  ];
  for (const [name, more, pattern] of cases) {
    const body = { AddressSpace: SPACE, Pool: '', SubPool: '', V6: false, ...more };
    t.match(await refusal(host.daemon().ipam, 'IpamDriver.RequestPool', body), pattern, name);
  }
  const overlap = await host.calicoctl(
    ['create', '-f', '-'],
    JSON.stringify(poolOf('over', '10.61.0.0/16')),
  );
  t.not(overlap.status, 0, 'a pool that overlaps is not even made');
  t.match(overlap.stderr + overlap.stdout, /overlap.*red|red.*overlap/);
}

async function addresses(t: Test, host: CalicoHost, { PoolID }: Net): Promise<void> {
  const { ipam } = host.daemon();
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['text', 'first', /first/],
    ['beyond 255', '10.61.0.256', /10\.61\.0\.256/],
    ['with a length', '10.61.0.9/24', /10\.61\.0\.9\/24/],
    ['of no pool', '172.31.0.9', /172\.31\.0\.9 is outside pool/],
    ['of another pool', '192.168.0.9', /192\.168\.0\.9 is outside pool red/],
    ['of the other family', 'fd00::9', /fd00::9/],
    ['the whole world', '0.0.0.0', /0\.0\.0\.0/],
  ];
  for (const [name, Address, pattern] of cases) {
    const body = { PoolID, Address, Options: { [MAC_OPTION]: '02:42:00:00:00:01' } };
    t.match(await refusal(ipam, 'IpamDriver.RequestAddress', body), pattern, name);
  }
  for (const bad of ['', 'pool-1', 'red.v4', '/etc/passwd', 'x'.repeat(4000)]) {
    const body = { PoolID: bad, Address: '10.61.0.9', Options: {} };
    t.ok(await refusal(ipam, 'IpamDriver.RequestAddress', body), `pool ${bad.slice(0, 12)}`);
    if (bad.length < 1000) await ipam.call('IpamDriver.ReleasePool', { PoolID: bad });
  }
  for (const Address of ['first', '10.61.0.256', '172.31.0.9', 'fd00::9', '', '0.0.0.0', '::']) {
    await ipam.call('IpamDriver.ReleaseAddress', { PoolID, Address });
  }
}

async function badEndpoints(t: Test, host: CalicoHost, { NetworkID, PoolID }: Net): Promise<void> {
  const { network: driver, ipam } = host.daemon();
  const EndpointID = 'e'.repeat(64);
  const create = (Interface: Answer, Options: Answer = {}): Promise<string> =>
    refusal(driver, 'NetworkDriver.CreateEndpoint', { NetworkID, EndpointID, Interface, Options });
  const mac = '02:42:00:00:00:01';
  t.match(await create({ Address: 'x', MacAddress: mac }), /x/);
  t.match(await create({ Address: '10.61.0.9/32', MacAddress: 'nonsense' }), /nonsense|MAC/);
  t.match(await create({ Address: '', MacAddress: mac }), /address/);
  t.match(
    await create({ Address: '10.61.0.9/32', MacAddress: mac }),
    /10\.61\.0\.9/,
    'nobody asked for it',
  );
  const Options = { [MAC_OPTION]: mac };
  const { Address } = await ipam.call('IpamDriver.RequestAddress', {
    PoolID,
    Address: '',
    Options,
  });
  const other = { Address, MacAddress: '02:42:00:00:00:02' };
  t.match(await create(other), /MAC|02:42:00:00:00:01/, 'asked for with another MAC');
  t.match(
    await create({ Address, MacAddress: mac }, { colour: 'red' }),
    /unknown endpoint option colour; valid are profile/,
  );
  t.match(
    await create({ Address, MacAddress: mac }, { profile: 'No Name' }),
    /"No Name" is no object name/,
  );
  t.same([...endpoints(await dumpStore(host))], [], 'no endpoint was made');
  t.same(await hostInterfaces(host.host), [], 'and no interface');
  const bare = String(Address).split('/')[0];
  await ipam.call('IpamDriver.ReleaseAddress', { PoolID, Address: bare });
}

async function full(t: Test, host: CalicoHost): Promise<void> {
  const { ipam } = host.daemon();
  const { PoolID } = await network(host, 'f', '10.62.0.0/29');
  const taken: string[] = [];
  const request = (index: number): Answer => ({
    PoolID,
    Address: '',
    Options: { [MAC_OPTION]: `02:42:00:00:01:0${index}` },
  });
  for (let index = 0; index < 8; index += 1) {
    const { Address } = await ipam.call('IpamDriver.RequestAddress', request(index));
    taken.push(String(Address).split('/')[0] ?? '');
  }
  t.equal(new Set(taken).size, 8, 'all eight, the first and the last too');
  const message = await refusal(ipam, 'IpamDriver.RequestAddress', request(9));
  t.match(message, /tiny/, 'the pool');
  t.match(message, /8 of 8/, 'how full it is');
  t.match(message, /block/, 'blocks per host');
  t.match(message, /strict affinity/i, 'whether blocks of others may be used');
  t.match(message, /calicoctl/, 'how to free');
  await ipam.call('IpamDriver.ReleaseAddress', { PoolID, Address: taken[3] });
  const { Address } = await ipam.call('IpamDriver.RequestAddress', request(9));
  t.equal(Address, `${taken[3]}/32`, 'the one that was freed is given again');
  for (const one of taken) await ipam.call('IpamDriver.ReleaseAddress', { PoolID, Address: one });
}
