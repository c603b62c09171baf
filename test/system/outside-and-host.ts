import t, { type Test } from 'tap';
import { ETCD_ENVIRONMENT, startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, reaches, runContainer, type Attachment } from '../fixtures/containers.js';
import {
  engineObstacle,
  startEngine,
  startFabric,
  type Engine,
} from '../fixtures/docker-engine.js';
import { OUTSIDE_ADDRESS } from '../fixtures/fabric.js';
import { capture, decidingChain, packetsOf } from '../fixtures/kernel-view.js';
import type { LabHost } from '../fixtures/lab-host.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;

t.test('the outside, the own host and another host', { skip }, async (t) => {
  const fabric = await startFabric();
  t.teardown(() => fabric.stop());
  const host = await startCalicoHost(t, { fabric, index: 1, store: 'etcd' });
  const neighbour = await startEngine({ fabric, index: 2, dockerd: false });
  t.teardown(() => neighbour.stop());
  await createNetwork(host, 'net1');
  const web = await runContainer(host, 'web', 'net1');
  await host.docker('exec', '-d', 'web', 'httpd', '-f', '-p', '80', '-h', '/bin');

  await t.test('the outside sees the host’s address', async (t) => {
    const seen = await capture(fabric.outside, 'br0', 'icmp[icmptype] == icmp-echo', async () => {
      t.ok(await reaches(host, 'web', OUTSIDE_ADDRESS), 'it answers');
    });
    t.ok(seen.length >= 2);
    t.same(
      seen.filter((line) => !line.includes(`IP ${host.address} > ${OUTSIDE_ADDRESS}:`)),
      [],
      'no other source',
    );
    await serve(fabric.outside, 8080);
    t.equal((await get(host, 'web', `http://${OUTSIDE_ADDRESS}:8080/true`)).status, 0, 'TCP too');
  });

  await t.test('the host reaches its container, and the container the host', async (t) => {
    t.equal((await host.run('ping', ['-c', '1', '-W', '1', web.address])).status, 0);
    const file = await host.run('busybox', ['wget', '-q', '-O', '-', `http://${web.address}/true`]);
    t.equal(file.status, 0, file.stderr);
    t.ok(await reaches(host, 'web', host.address));
    await serve(host.host, 8081);
    t.equal((await get(host, 'web', `http://${host.address}:8081/true`)).status, 0, 'TCP too');
  });

  await t.test('a machine that is no node', (t) => otherHost(t, host, neighbour, web));

  await t.test('another node of the cluster', async (t) => {
    const endpoints = `http://${host.address}:2379`;
    await neighbour.startDaemon({ env: { ...ETCD_ENVIRONMENT, ETCD_ENDPOINTS: endpoints } });
    await until(
      async () => (await host.calicoctl(['get', 'node', 'node2'])).status === 0,
      'the second node to be registered',
    );
    await otherHost(t, host, neighbour, web);
    await host.daemon().stop();
    await host.restartDaemon({ env: { CALICO_LIBNETWORK_HOST_REACH: 'all' } });
    await until(
      async () => (await pingFrom(neighbour, web.address)) === 0,
      'hostReach: all to let the node pass',
    );
  });
});

/** It reaches nothing here, while the container reaches it: its answers belong to a flow that is allowed. */
async function otherHost(
  t: Test,
  host: CalicoHost,
  neighbour: Engine,
  web: Attachment,
): Promise<void> {
  await neighbour.host.must('ip', ['route', 'replace', web.address, 'via', host.address]);
  const chain = await decidingChain(host.host, 'to-wl', web.hostInterface);
  const before = await packetsOf(host.host, chain, 'no profile matched');
  t.not(await pingFrom(neighbour, web.address), 0, 'no answer');
  t.equal(await packetsOf(host.host, chain, 'no profile matched'), before + 1, 'denied here');
  t.ok(await reaches(host, 'web', neighbour.address), 'the container reaches it');
}

async function pingFrom(engine: Engine, address: string): Promise<number> {
  return (await engine.run('ping', ['-c', '1', '-W', '1', address])).status;
}

async function serve(machine: LabHost, port: number): Promise<void> {
  const server = await machine.spawn('busybox', ['httpd', '-f', '-p', String(port), '-h', '/bin']);
  await until(
    async () => (await machine.must('ss', ['-Hltn', `sport = :${port}`])).trim() !== '',
    'the web server',
  );
  if (!server.running()) throw new Error(server.log());
}

function get(
  host: CalicoHost,
  container: string,
  url: string,
): ReturnType<CalicoHost['tryDocker']> {
  return host.tryDocker('exec', container, 'timeout', '5', 'wget', '-q', '-O', '/dev/null', url);
}
