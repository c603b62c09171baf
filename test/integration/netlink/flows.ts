import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { silentLog } from '../../../src/base/log.js';
import { Address } from '../../../src/model/index.js';
import { createKernelNetlink, type Netlink } from '../../../src/netlink/index.js';
import { createNetworkNamespace, type NetworkNamespace } from '../../fixtures/network-namespace.js';
import { inPrivateNamespace, run } from '../../fixtures/private-namespace.js';

const HOSTS = [2, 3, 4] as const;

/** Three hosts on a router (this namespace) that tracks connections. */
async function routedHosts(t: Test): Promise<readonly NetworkNamespace[]> {
  run('nft', 'add table inet t; add chain inet t c { type filter hook forward priority 0; }');
  run('nft', 'add rule inet t c ct state new counter');
  run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  const hosts: NetworkNamespace[] = [];
  for (const number of HOSTS) {
    const host = await createNetworkNamespace(t, `host${number}`);
    run('ip', 'link', 'add', `h${number}`, 'up', 'type', 'veth', 'peer', 'name', `g${number}`);
    run('ip', 'address', 'add', `10.7.${number}.1/24`, 'dev', `h${number}`);
    run('ip', 'address', 'add', `fd07:${number}::1/64`, 'dev', `h${number}`, 'nodad');
    host.take(`g${number}`, {
      as: 'eth0',
      addresses: [`10.7.${number}.2/24`, `fd07:${number}::2/64`],
      routes: [`default via 10.7.${number}.1`, `default via fd07:${number}::1`],
    });
    hosts.push(host);
  }
  t.teardown(() => {
    run('nft', 'flush', 'ruleset');
    for (const number of HOSTS) run('ip', 'link', 'del', `h${number}`);
  });
  return hosts;
}

/** Sources of the original direction of all flows that the conntrack command sees. */
function flowsSeen(): readonly string[] {
  const lists = ['ipv4', 'ipv6'].map((family) => run('conntrack', '-L', '-f', family));
  return lists.flatMap((list) =>
    [...list.matchAll(/^.*?src=(\S+) dst=(\S+)/gm)].map((match) => `${match[1]} > ${match[2]}`),
  );
}

function addressesOf(...texts: readonly string[]): readonly Address[] {
  return texts.map((text) => Address.parse(text));
}

function openNetlink(t: Test): Netlink {
  const netlink = createKernelNetlink({ log: silentLog });
  t.teardown(() => netlink.close());
  return netlink;
}

async function makeFlows(t: Test, hosts: readonly NetworkNamespace[]): Promise<void> {
  const [two, three, four] = hosts;
  if (two === undefined || three === undefined || four === undefined) throw new Error('no hosts');
  t.ok(two.ping('10.7.3.2') && three.ping('10.7.4.2') && four.ping('10.7.3.2'));
  t.ok(two.ping('fd07:3::2') && three.ping('fd07:4::2') && four.ping('fd07:3::2'));
  t.equal(flowsSeen().length, 6);
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('flows of the addresses go, in both roles and families, and no other', async (t) => {
    const netlink = openNetlink(t);
    const hosts = await routedHosts(t);
    await makeFlows(t, hosts);
    const hostsSeen = HOSTS.flatMap((number) => [`10.7.${number}.2`, `fd07:${number}::2`]);
    t.strictSame([...(await netlink.flowSources())].sort(), hostsSeen.sort());
    t.equal(await netlink.deleteFlows(addressesOf('10.7.2.2')), 1, 'as original source');
    t.equal(await netlink.deleteFlows(addressesOf('10.7.4.2')), 2, 'original and reply source');
    t.strictSame(
      flowsSeen().filter((flow) => !flow.includes(':')),
      [],
    );
    t.equal(flowsSeen().length, 3, 'IPv6 flows stay');
    t.equal(await netlink.deleteFlows(addressesOf('fd07:4::2')), 2);
    t.strictSame(flowsSeen(), ['fd07:2::2 > fd07:3::2']);
    t.equal(await netlink.deleteFlows(addressesOf('fd07:4::2')), 0, 'none found is success');
  });

  t.test('many addresses are one look at the table', async (t) => {
    const netlink = openNetlink(t);
    const hosts = await routedHosts(t);
    run('conntrack', '-F');
    await makeFlows(t, hosts);
    const others = Array.from({ length: 20 }, (_, number) => `192.0.2.${number}`);
    t.equal(await netlink.deleteFlows(addressesOf('10.7.2.2', 'fd07:4::2', ...others)), 3);
    t.equal(flowsSeen().length, 3);
  });

  t.test('an established connection of a former address is forgotten', async (t) => {
    const netlink = openNetlink(t);
    const [client, server] = await routedHosts(t);
    if (client === undefined || server === undefined) throw new Error('no hosts');
    run('conntrack', '-F');
    const listener = server.start('nc', '-l', '-p', '7007');
    const lines = listener.stdout === null ? undefined : createInterface(listener.stdout);
    if (lines === undefined) throw new Error('the listener has no output');
    while (!server.run('ss', '-ltn').includes(':7007')) await new Promise(setImmediate);
    client.start('sh', '-c', '(echo hello; exec sleep 60) | nc 10.7.3.2 7007');
    const [line] = await once(lines, 'line');
    t.equal(line, 'hello');
    t.match(run('conntrack', '-L', '-p', 'tcp'), /ESTABLISHED/);
    t.equal(await netlink.deleteFlows(addressesOf('10.7.3.2')), 1);
    t.notMatch(run('conntrack', '-L', '-p', 'tcp'), /ESTABLISHED/);
  });

  t.test('a thousand flows of one address among six thousand', async (t) => {
    const netlink = openNetlink(t);
    run('nft', 'add table inet t; add chain inet t c { type filter hook input priority 0; }');
    run('nft', 'add rule inet t c ct state new counter');
    t.teardown(() => run('nft', 'flush', 'ruleset'));
    run('conntrack', '-F');
    const file = `${t.testdir()}/flows`;
    const flow = (number: number): string =>
      `-I -s 198.51.100.${number % 6} -d 192.0.2.1 -p udp --sport ${2000 + number} --dport 53 -t 600`;
    const lines = Array.from({ length: 6000 }, (_, number) => flow(number));
    writeFileSync(file, `${lines.join('\n')}\n`);
    run('conntrack', '-R', file);
    t.equal(await netlink.deleteFlows(addressesOf('198.51.100.1')), 1000, 'the kernel looks');
    const left = new Set(flowsSeen().map((seen) => seen.split(' ')[0]));
    t.strictSame(
      [...left].sort((a = '', b = '') => a.localeCompare(b)),
      [0, 2, 3, 4, 5].map((number) => `198.51.100.${number}`),
    );
    t.equal(await netlink.deleteFlows(addressesOf('198.51.100.2')), 1000, 'or this process');
    const rest = await netlink.deleteFlows(addressesOf('192.0.2.1'));
    t.equal(rest, 4000, 'by reply source');
    t.equal(await netlink.deleteFlows(addressesOf('192.0.2.1')), 0, 'an empty table');
  });
});
