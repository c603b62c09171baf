import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { createAgent, type Agent } from '../../src/agent/index.js';
import { Fault, silentLog } from '../../src/base/index.js';
import { resourceKey, type Entry, type SyncListener } from '../../src/datastore/index.js';
import type { EndpointProgrammer } from '../../src/driver/index.js';
import { Address, Cidr } from '../../src/model/index.js';
import { encodeProfile, networkProfile } from '../../src/model/v3/index.js';
import { MemoryNetlink } from '../../src/netlink/index.js';
import { localEndpoint } from '../fixtures/agent-facts.js';
import { NftRecorder } from '../fixtures/nft-recorder.js';
import { until } from '../fixtures/until.js';

const REFUSED = new Fault('invalid', 'Error: syntax error');

interface Host {
  readonly agent: Agent;
  readonly nft: NftRecorder;
  readonly netlink: MemoryNetlink;
  /** What the store tells; set by `start`. */
  readonly listener: () => SyncListener;
  readonly procRoot: string;
}

function createHost(t: Test): Host {
  const procRoot = t.testdir({});
  t.teardown(() => rmSync(procRoot, { recursive: true, force: true }));
  const sysctl = (path: string, value: string): void => {
    const file = join(procRoot, 'sys/net', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, value);
  };
  sysctl('ipv4/ip_forward', '0');
  sysctl('ipv6/conf/all/disable_ipv6', '0');
  sysctl('ipv6/conf/all/forwarding', '0');
  sysctl('ipv6/conf/eth0/accept_ra', '1');
  sysctl('ipv6/conf/eth1/accept_ra', '0');
  sysctl('netfilter/nf_conntrack_max', '1000');
  sysctl('netfilter/nf_conntrack_count', '950');
  for (const name of ['a', 'b', 'c']) {
    for (const setting of ['forwarding', 'proxy_arp', 'rp_filter']) {
      sysctl(`ipv4/conf/cali${name}/${setting}`, '0');
    }
  }
  const nft = new NftRecorder();
  const netlink = new MemoryNetlink();
  let listener: SyncListener | undefined;
  const agent = createAgent({
    settings: { nodeName: 'node1', procRoot, iptables: false },
    netlink,
    nft,
    createSyncer: (options) => {
      listener = options.listener;
      return { ready: () => Promise.resolve(), inSync: true, stop: () => undefined };
    },
    log: silentLog,
  });
  t.teardown(() => agent.stop());
  return {
    agent,
    nft,
    netlink,
    procRoot,
    listener: () => listener ?? (t.fail('a syncer') as never),
  };
}

async function startHost(t: Test, entries: Record<string, string> = {}): Promise<Host> {
  const host = createHost(t);
  await host.agent.start(new AbortController().signal);
  host.listener().onSnapshot(entriesOf(entries));
  await host.agent.synced(AbortSignal.timeout(5000));
  return host;
}

const entriesOf = (values: Record<string, string>): Map<string, Entry> =>
  new Map(Object.entries(values).map(([key, value]) => [key, { key, value, revision: 1n }]));

const profileEntry = (name: string): Record<string, string> => ({
  [resourceKey('profiles', name)]: encodeProfile(networkProfile(name), {
    uid: 'u',
    createdAt: new Date(0),
  }),
});

async function pair(netlink: MemoryNetlink, name: string): Promise<number> {
  const { hostIndex } = await netlink.createVeth({
    host: { name: `cali${name}`, mac: 'ee:ee:ee:ee:ee:ee' },
    peer: { name: `temp${name}` },
    mtu: 1500,
  });
  return hostIndex;
}

const routesTo = async (netlink: MemoryNetlink, text: string): Promise<number> =>
  (await netlink.routes(4)).filter(({ destination }) => String(destination) === text).length;

t.test('an endpoint is in the kernel when the call settles', async (t) => {
  const { agent, nft, netlink, procRoot } = await startHost(t, profileEntry('net1'));
  const programmer: EndpointProgrammer = agent;
  nft.applied.length = 0;
  const index = await pair(netlink, 'a');
  const endpoint = localEndpoint('a', 'calia', index, ['10.0.0.1'], { profiles: ['net1'] });
  await programmer.program(endpoint);
  t.equal(nft.applied.length, 1, 'one transaction');
  t.match(nft.applied[0], '"calia" : goto fl-');
  t.match(nft.applied[0], 'comment "has(net1)"');
  t.equal(await routesTo(netlink, '10.0.0.1/32'), 1);
  t.equal(agent.addressInUse(Address.parse('10.0.0.1')), true);
  t.equal(readFileSync(join(procRoot, 'sys/net/ipv4/conf/calia/proxy_arp'), 'utf8'), '1');
  await programmer.program(endpoint);
  t.equal(nft.applied.length, 1, 'the same again writes no rule');
  await programmer.withdraw('a');
  t.match(nft.applied[1], 'delete element');
  t.equal(await routesTo(netlink, '10.0.0.1/32'), 0);
});

t.test('calls that come together share transactions', async (t) => {
  const { agent, nft, netlink } = await startHost(t, profileEntry('net1'));
  nft.applied.length = 0;
  const indexes = await Promise.all(['a', 'b', 'c'].map((name) => pair(netlink, name)));
  await Promise.all(
    ['a', 'b', 'c'].map((name, at) =>
      agent.program(
        localEndpoint(name, `cali${name}`, indexes[at] ?? 0, [`10.0.0.${at}`], {
          profiles: ['net1'],
        }),
      ),
    ),
  );
  t.equal(nft.applied.length, 1);
});

t.test('a refused change becomes a whole table', async (t) => {
  const { agent, nft, netlink } = await startHost(t, profileEntry('net1'));
  let refusals = 1;
  nft.refuse = () => (refusals-- > 0 ? REFUSED : undefined);
  await agent.program(localEndpoint('a', 'calia', await pair(netlink, 'a'), ['10.0.0.1']));
  t.match(nft.applied.at(-1), /^add table inet calico-libnetwork\ndelete table/);
  t.match(nft.applied.at(-1), '"calia" : goto');
});

t.test(
  'what cannot be programmed is undone, and the kernel mended in the background',
  async (t) => {
    const { agent, nft, netlink } = await startHost(t);
    const index = await pair(netlink, 'a');
    let broken = true;
    nft.refuse = () => (broken ? new Fault('unavailable', 'no nft') : undefined);
    await t.rejects(agent.program(localEndpoint('a', 'calia', index, ['10.0.0.1'])), {
      message: 'no nft',
    });
    t.equal(await routesTo(netlink, '10.0.0.1/32'), 0);
    t.equal(agent.addressInUse(Address.parse('10.0.0.1')), false);
    await until(() => agent.status().state === 'failing', 'the state');
    t.match(agent.status().parts['table'], { state: 'failed', lastError: 'no nft' });
    broken = false;
    await until(() => agent.status().state === 'in-sync', 'the retry');
    t.notMatch(nft.applied.at(-1), 'calia');
  },
);

t.test('a withdrawal that fails says so, and is finished later', async (t) => {
  const { agent, nft, netlink } = await startHost(t);
  await agent.program(localEndpoint('a', 'calia', await pair(netlink, 'a'), ['10.0.0.1']));
  nft.refuse = () => new Fault('unavailable', 'no nft');
  await t.rejects(agent.withdraw('a'), { message: 'endpoint a is not wholly withdrawn: no nft' });
  t.equal(await routesTo(netlink, '10.0.0.1/32'), 0, 'the other step was taken');
  nft.refuse = () => undefined;
  await until(() => agent.status().state === 'in-sync', 'the retry');
  t.notMatch(nft.applied.at(-1), 'calia');
});

t.test('nothing is deleted before the first snapshot', async (t) => {
  const { agent, netlink, listener } = createHost(t);
  const index = await pair(netlink, 'a');
  const stray = {
    destination: Cidr.parse('10.0.0.9/32'),
    type: 'unicast',
    protocol: 80,
    scope: 'link',
    interfaceIndex: index,
  } as const;
  await netlink.replaceRoute(stray);
  await agent.start(new AbortController().signal);
  t.equal(agent.status().state, 'waiting-for-store');
  t.equal(await routesTo(netlink, '10.0.0.9/32'), 1);
  t.equal(await routesTo(netlink, '169.254.1.0/24'), 1, 'what is missing is added');
  listener().onSnapshot(new Map());
  await agent.synced(AbortSignal.timeout(5000));
  t.equal(await routesTo(netlink, '10.0.0.9/32'), 0);
});

t.test('a profile that nft refuses does not keep the others out', async (t) => {
  const { agent, nft, netlink, listener } = await startHost(t, {
    ...profileEntry('good'),
    ...profileEntry('bad'),
  });
  nft.refuse = (commands) => (commands.includes('bad ingress rule') ? REFUSED : undefined);
  const endpoint = localEndpoint('a', 'calia', await pair(netlink, 'a'), ['10.0.0.1'], {
    profiles: ['bad'],
  });
  await agent.program(endpoint);
  t.match(
    agent.status().decisions.filter(({ reason }) => reason === 'profile-fails-closed'),
    [{ subject: 'bad', details: /nft refused its rules: .*syntax error/ }],
  );
  await agent.program(
    localEndpoint('b', 'calib', await pair(netlink, 'b'), ['10.0.0.2'], { profiles: ['good'] }),
  );
  t.match(nft.applied.at(-1), 'good ingress rule 1');
  nft.refuse = () => undefined;
  const [key = '', value = ''] = Object.entries(profileEntry('bad'))[0] ?? [];
  listener().onChange(key, { key, value: value.replace('"u"', '"v"'), revision: 2n });
  await until(
    () => nft.applied.at(-1)?.includes('bad ingress rule 1') === true,
    'the changed profile',
  );
});

t.test('an address waits for the connections of its former user, others do not', async (t) => {
  const { agent, netlink } = await startHost(t);
  await agent.program(localEndpoint('a', 'calia', await pair(netlink, 'a'), ['10.0.0.1']));
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const real = netlink.deleteFlows.bind(netlink);
  const cleaned: string[] = [];
  netlink.deleteFlows = async (addresses) => {
    await gate;
    cleaned.push(...addresses.map(String));
    return real(addresses);
  };
  await agent.withdraw('a');
  let reused = false;
  const again = agent
    .program(localEndpoint('b', 'calib', await pair(netlink, 'b'), ['10.0.0.1']))
    .then(() => (reused = true));
  await agent.program(localEndpoint('c', 'calic', await pair(netlink, 'c'), ['10.0.0.3']));
  t.equal(reused, false);
  t.equal(await routesTo(netlink, '10.0.0.1/32'), 0);
  release();
  await again;
  t.same(cleaned, ['10.0.0.1']);
  t.equal(await routesTo(netlink, '10.0.0.1/32'), 1);
});

t.test('a call that is called off ends, and is undone', async (t) => {
  const { agent, nft, netlink } = await startHost(t);
  let release = (): void => undefined;
  nft.gate = new Promise((resolve) => (release = resolve));
  const off = new AbortController();
  const call = agent.program(
    localEndpoint('a', 'calia', await pair(netlink, 'a'), ['10.0.0.1']),
    off.signal,
  );
  off.abort(new Fault('timeout', 'Docker hung up'));
  release();
  await t.rejects(call, { message: 'Docker hung up' });
  t.equal(agent.addressInUse(Address.parse('10.0.0.1')), false);
});

t.test('another program changes tables', async (t) => {
  const { nft, agent } = await startHost(t);
  await until(() => agent.status().state === 'in-sync', 'rest');
  nft.applied.length = 0;
  nft.foreignChange('ip filter', 'inet firewalld');
  nft.foreignChange('inet calico-libnetwork');
  await until(() => nft.applied.length > 0, 'the table');
  t.equal(nft.applied.length, 1);
  t.match(nft.applied[0], 'delete table inet calico-libnetwork');
});

t.test('settings of the host', async (t) => {
  const { agent, procRoot } = await startHost(t);
  const read = (path: string): string => readFileSync(join(procRoot, 'sys/net', path), 'utf8');
  t.equal(read('ipv4/ip_forward'), '1');
  t.equal(read('ipv6/conf/all/forwarding'), '1');
  t.equal(
    read('ipv6/conf/eth0/accept_ra'),
    '2',
    'a host that lives by router advertisements goes on to',
  );
  t.equal(read('ipv6/conf/eth1/accept_ra'), '0');
  const { host, decisions } = agent.status();
  t.match(host, { ipv6: true, conntrack: { max: 1000, count: 950 } });
  t.match(decisions, [{ reason: 'host-setting', details: /nearly full \(950 of 1000\)/ }]);
});

t.test('an agent that is not started, or stopped, takes no endpoint', async (t) => {
  const { agent, netlink } = createHost(t);
  const endpoint = localEndpoint('a', 'calia', await pair(netlink, 'a'), ['10.0.0.1']);
  await t.rejects(agent.program(endpoint), { message: /until the datastore has answered/ });
  t.equal(agent.status().state, 'starting');
  await agent.start(new AbortController().signal);
  await agent.stop();
  await t.rejects(agent.program(endpoint), { message: 'the agent is stopping' });
  t.equal(agent.status().state, 'stopped');
  await t.rejects(agent.start(new AbortController().signal), { message: /started once/ });
});
