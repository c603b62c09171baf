import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAgent, type Agent } from '../../src/agent/index.js';
import { Fault, silentLog } from '../../src/base/index.js';
import type { SyncListener } from '../../src/datastore/index.js';
import { Address } from '../../src/model/index.js';
import { networkProfile } from '../../src/model/v3/index.js';
import { MemoryNetlink } from '../../src/netlink/index.js';
import { localEndpoint } from '../fixtures/agent-facts.js';
import { NftRecorder } from '../fixtures/nft-recorder.js';
import { until } from '../fixtures/until.js';

interface Host {
  readonly agent: Agent;
  readonly nft: NftRecorder;
  readonly netlink: MemoryNetlink;
}

async function startHost(t: Test): Promise<Host> {
  const procRoot = t.testdir({});
  t.teardown(() => rmSync(procRoot, { recursive: true, force: true }));
  const folder = join(procRoot, 'sys/net/ipv4/conf/calia');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'forwarding'), '0');
  const nft = new NftRecorder();
  const netlink = new MemoryNetlink();
  let listener: SyncListener | undefined;
  const agent = createAgent({
    settings: { nodeName: 'node1', procRoot, iptables: false },
    ...{ netlink, nft, log: silentLog },
    createSyncer: (options) => {
      listener = options.listener;
      return { ready: () => Promise.resolve(), inSync: true, stop: () => undefined };
    },
  });
  t.teardown(() => agent.stop());
  await agent.start(new AbortController().signal);
  listener?.onSnapshot(new Map());
  await agent.synced(AbortSignal.timeout(5000));
  agent.learnProfile(networkProfile('net1'));
  nft.applied.length = 0;
  return { agent, nft, netlink };
}

async function pair(netlink: MemoryNetlink): Promise<number> {
  const host = { name: 'calia', mac: 'ee:ee:ee:ee:ee:ee' };
  const { hostIndex } = await netlink.createVeth({ host, peer: { name: 'tempa' }, mtu: 1500 });
  return hostIndex;
}

const routes = async (netlink: MemoryNetlink): Promise<number> =>
  (await netlink.routes(4)).filter(({ destination }) => String(destination) === '10.0.0.1/32')
    .length;

const endpoint = (index: number, sandboxKey = '') =>
  localEndpoint('a', 'calia', index, ['10.0.0.1'], { profiles: ['net1'], sandboxKey });

t.test('rules come while the endpoint is made, routes with its Join', async (t) => {
  const { agent, nft, netlink } = await startHost(t);
  agent.programAhead(endpoint(0));
  await until(() => nft.applied.length === 1, 'the rules');
  t.match(nft.applied[0], '"calia" : goto fl-');
  t.equal(await routes(netlink), 0);
  t.equal(agent.addressInUse(Address.parse('10.0.0.1')), false, 'nobody has it yet');
  await agent.program(endpoint(await pair(netlink), '/var/run/docker/netns/a'));
  t.equal(nft.applied.length, 1, 'nothing is left to be written by Join');
  t.equal(await routes(netlink), 1);
});

t.test('what fails ahead is done, or told, by the call itself', async (t) => {
  const { agent, nft, netlink } = await startHost(t);
  let refuse = true;
  nft.refuse = () => (refuse ? new Fault('unavailable', 'nft is not there') : undefined);
  agent.programAhead(endpoint(0));
  const index = await pair(netlink);
  await t.rejects(agent.program(endpoint(index)), { message: /nft is not there/ });
  t.equal(await routes(netlink), 0, 'a new endpoint is undone');
  refuse = false;
  await agent.program(endpoint(index));
  t.match(nft.applied.join('\n'), '"calia" : goto fl-');
});

t.test('one that is not made leaves nothing', async (t) => {
  const { agent, nft } = await startHost(t);
  const count = (verb: string): number =>
    nft.applied.join('\n').match(new RegExp(`${verb} element [^\\n]*"calia"`, 'g'))?.length ?? 0;
  agent.programAhead(endpoint(0));
  await until(() => count('add') > 0, 'the rules');
  await agent.withdraw('a');
  await until(() => count('delete') === count('add'), 'the rules to go');
});

t.test('an address of an endpoint that lives stays with that one', async (t) => {
  const { agent, nft, netlink } = await startHost(t);
  await agent.program(endpoint(await pair(netlink), '/s/1'));
  const before = nft.applied.length;
  const more = { profiles: ['net1'], sandboxKey: '' };
  agent.programAhead(localEndpoint('b', 'calib', 0, ['10.0.0.1'], more));
  await agent.withdraw('b');
  t.equal(nft.applied.length, before, 'nothing is written for the other');
});
