import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, ping, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle, type EngineVersion } from '../fixtures/docker-engine.js';
import { OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6 } from '../fixtures/fabric.js';
import { capture, decidingChain, packetsOf } from '../fixtures/kernel-view.js';
import { settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

const versions: readonly EngineVersion[] = ['20.10', '28'];

const POOLS = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: red
spec:
  cidr: 10.61.0.0/24
  natOutgoing: true
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: red6
spec:
  cidr: fd00:61::/64
  natOutgoing: true
`;

const DUAL = ['--ipv6', '--subnet', '10.61.0.0/24', '--subnet', 'fd00:61::/64'] as const;

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(`IPv6, engine ${version}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { version, store: 'etcd' });
    t.equal((await host.calicoctl(['create', '-f', '-'], POOLS)).status, 0);
    await t.test('dual stack', (t) => dualStack(t, host));
    await t.test('a network without a subnet', (t) => withoutSubnet(t, host));
    if (version === '28') await t.test('IPv6 only', (t) => onlyIpv6(t, host));
    await t.test('IPv4 networks, IPv6 switched off on the host', (t) => switchedOff(t, host));
    await settled(host);
  });
}

async function dualStack(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'dual', ...DUAL);
  await createNetwork(host, 'other', ...DUAL);
  const one = await runContainer(host, 'dual1', 'dual');
  const two = await runContainer(host, 'dual2', 'dual');
  const three = await runContainer(host, 'other1', 'other');
  t.match(one.address6, /^fd00:61::/);
  t.match(await host.docker('exec', 'dual1', 'ip', 'addr'), `inet6 ${one.address6}/128`);
  const answers = await Promise.all(
    [two.address, two.address6].map((address) => ping(host, 'dual1', address)),
  );
  t.same(
    answers.map(({ received, ttl }) => ({ received, ttl })),
    [
      { received: 2, ttl: 63 },
      { received: 2, ttl: 63 },
    ],
  );
  t.ok(await reaches(host, 'dual1', 'dual2', '-6'), 'by name');
  t.ok(await reaches(host, 'dual1', `fd60::215`), 'the own host');

  const chain = await decidingChain(host.host, 'to-wl', three.hostInterface);
  const before = await packetsOf(host.host, chain, 'no profile matched');
  t.notOk(await reaches(host, 'dual1', three.address6), 'not the other network');
  t.equal(await packetsOf(host.host, chain, 'no profile matched'), before + 2, 'denied by rule');

  const filter = 'icmp6 and ip6[40] == 128';
  const seen = await capture(host.outside, 'br0', filter, async () => {
    t.ok(await reaches(host, 'dual1', OUTSIDE_ADDRESS6), 'the outside answers');
  });
  t.ok(seen.length >= 2);
  t.ok(
    seen.every((line) => line.includes(`IP6 fd60::215 > ${OUTSIDE_ADDRESS6}:`)),
    'and sees the host’s address',
  );
  t.equal((await host.run('ping', ['-c', '1', '-W', '1', one.address6])).status, 0, 'host to it');
  await host.docker('restart', '-t', '0', 'dual1');
  t.ok(await reaches(host, 'dual2', 'dual1', '-6'), 'after a restart');
  await host.docker('rm', '-f', 'dual1', 'dual2', 'other1');
  await settled(host);
  const fixed = await runContainer(host, 'fixed', 'dual', '--ip6', 'fd00:61::77');
  t.equal(fixed.address6, 'fd00:61::77', '--ip6');
  await host.docker('rm', '-f', 'fixed');
  await host.docker('network', 'rm', 'dual', 'other');
}

async function withoutSubnet(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'auto', '--ipv6');
  const one = await runContainer(host, 'auto1', 'auto');
  const two = await runContainer(host, 'auto2', 'auto');
  t.match(one.address6, /^fd00:61::/);
  t.ok(await reaches(host, 'auto1', two.address6));
  t.ok(await reaches(host, 'auto1', two.address));
  await host.docker('rm', '-f', 'auto1', 'auto2');
  await host.docker('network', 'rm', 'auto');
}

async function onlyIpv6(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'six', '--ipv4=false', '--ipv6', '--subnet', 'fd00:61::/64');
  const one = await runContainer(host, 'six1', 'six');
  const two = await runContainer(host, 'six2', 'six');
  t.equal(one.address, '', 'no IPv4 address');
  t.notMatch(await host.docker('exec', 'six1', 'ip', '-4', 'addr'), 'cali0');
  t.equal((await ping(host, 'six1', two.address6)).ttl, 63);
  t.ok(await reaches(host, 'six2', 'six1', '-6'), 'by name');
  t.ok(await reaches(host, 'six1', OUTSIDE_ADDRESS6), 'the outside');
  const bridges = await host.docker('network', 'ls', '--format', '{{.Name}}');
  t.notMatch(bridges, 'docker_gwbridge', 'no second way out');
  await host.docker('rm', '-f', 'six1', 'six2');
  await host.docker('network', 'rm', 'six');
}

/** The predecessor fails here with "permission denied". */
async function switchedOff(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'four', '--subnet', '10.61.0.0/24');
  await runContainer(host, 'before', 'four');
  t.notMatch(await host.docker('exec', 'before', 'ip', 'addr', 'show', 'cali0'), 'inet6');
  const settings = ['all', 'default'].map((one) => `net.ipv6.conf.${one}.disable_ipv6=1`);
  await host.host.must('sysctl', ['-qw', ...settings]);
  await runContainer(host, 'after', 'four');
  t.equal((await ping(host, 'after', 'before')).ttl, 63);
  t.equal((await ping(host, 'before', 'after')).ttl, 63);
  t.ok(await reaches(host, 'after', OUTSIDE_ADDRESS));
  await host.docker('restart', '-t', '0', 'before');
  t.ok(await reaches(host, 'after', 'before'), 'one that started with IPv6, started again');
  await host.daemon().kill();
  await host.restartDaemon();
  await runContainer(host, 'later', 'four');
  await until(() => reaches(host, 'later', 'after'), 'a daemon that starts without IPv6');
  await host.docker('rm', '-f', 'before', 'after', 'later');
  await host.docker('network', 'rm', 'four');
}
