import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, runContainer, type Attachment } from '../fixtures/containers.js';
import { engineObstacle, IMAGE, startFabric } from '../fixtures/docker-engine.js';
import type { Fabric } from '../fixtures/fabric.js';
import type { LabHost } from '../fixtures/lab-host.js';
import { until } from '../fixtures/until.js';

interface Scene {
  readonly host: CalicoHost;
  readonly fabric: Fabric;
  readonly web: Attachment;
}

for (const version of ['20.10', '28'] as const) {
  const skip = engineObstacle(version) ?? false;
  t.test(`docker run -p, engine ${version}`, { skip }, async (t) => {
    const fabric = await startFabric();
    t.teardown(() => fabric.stop());
    const host = await startCalicoHost(t, { version, fabric, index: 1 });
    await createNetwork(host, 'net1');
    await createNetwork(host, 'net2');
    const before = await host.host.must('nft', ['list', 'tables']);
    const web = await runContainer(host, 'web', 'net1', '-p', '8080:80', '-p', '5353:53/udp');
    await runContainer(host, 'client', 'net2');
    await host.docker('exec', '-d', 'web', 'httpd', '-f', '-p', '80', '-h', '/bin');
    const scene = { host, fabric, web };
    await t.test('from everywhere', (t) => fromEverywhere(t, scene));
    await t.test('a port of the loopback', (t) => loopbackAlone(t, scene));
    await t.test('a port that is in use', (t) => inUse(t, scene));
    await t.test('the daemon is killed', (t) => killed(t, scene));
    await t.test('policies decide', (t) => policies(t, scene));
    await t.test('ports that Docker leaves open', (t) => anyPort(t, scene));
    await t.test('nothing stays', async (t) => {
      await host.docker('rm', '-f', 'web', 'client');
      t.equal(await listeners(host.host, 8080), 0, 'the port is free');
      t.notMatch(await rules(host), /pub-pre|dport map/);
      t.notMatch(await rules(host), new RegExp(`${web.address} \\. tcp`));
      t.equal(await host.host.must('nft', ['list', 'tables']), before);
    });
  });
}

async function fromEverywhere(t: Test, { host, fabric, web }: Scene): Promise<void> {
  const at = `http://${host.address}:8080/true`;
  t.equal(await fetch(fabric.outside, at), 0, 'from another machine');
  t.equal(await fetch(host.host, at), 0, 'from this host');
  t.equal(await fetch(host.host, 'http://127.0.0.1:8080/true'), 0, 'by its loopback');
  t.equal(await fetchIn(host, 'client', at), 0, 'from a container of another network');
  t.equal(await fetchIn(host, 'web', at), 0, 'from the container itself');
  const direct = `http://${web.address}/true`;
  t.not(await fetchIn(host, 'client', direct), 0, 'its own address is as closed as before');
  t.match(await rules(host), `udp . 5353 : ${web.address} . 53`);
  const status = await host.calicoctl(['status']);
  t.match(
    status.stdout,
    new RegExp(`0\\.0\\.0\\.0:8080/tcp +${web.address}:80 +${web.endpointId.slice(0, 12)}`),
  );
}

/** A machine on the host's segment, or a container of another bridge, may send to any address by way of the host. */
async function loopbackAlone(t: Test, { host, fabric }: Scene): Promise<void> {
  const at = 'http://127.0.0.1:8070/true';
  await runContainer(host, 'inward', 'net1', '-p', '127.0.0.1:8070:80', '-p', '0.0.0.0:8071:80');
  await host.docker('exec', '-d', 'inward', 'httpd', '-f', '-p', '80', '-h', '/bin');
  await until(async () => (await fetch(host.host, at)) === 0, 'the host to reach it');
  t.equal(await fetch(fabric.outside, `http://${host.address}:8071/true`), 0, '0.0.0.0 is any');
  const { outside } = fabric;
  await outside.must('ip', ['link', 'set', 'lo', 'down']);
  await outside.must('sh', ['-c', 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet']);
  await outside.must('ip', ['route', 'add', '127.0.0.1/32', 'via', host.address, 'dev', 'br0']);
  t.not(await fetch(outside, at), 0, 'the segment does not');
  await outside.must('ip', ['route', 'del', '127.0.0.1/32']);
  await outside.must('ip', ['link', 'set', 'lo', 'up']);
  await host.docker('rm', '-f', 'inward');
}

/** The same words as §7 of the product: host address, port, and who has it. */
async function inUse(t: Test, { host, web }: Scene): Promise<void> {
  const create = (name: string, port: number) =>
    host.tryDocker(
      'run',
      '-d',
      '--name',
      name,
      '--net',
      'net1',
      '-p',
      `${port}:80`,
      IMAGE,
      'sleep',
      '1000',
    );
  const second = await create('second', 8080);
  t.not(second.status, 0);
  const owner = web.endpointId.slice(0, 12);
  t.match(second.stderr, `port 0.0.0.0:8080/tcp of this host is in use by endpoint ${owner};`);
  const server = await host.host.spawn('busybox', ['httpd', '-f', '-p', '9090', '-h', '/bin']);
  await until(async () => (await listeners(host.host, 9090)) === 1, 'the web server');
  const third = await create('third', 9090);
  t.match(third.stderr, /port 0\.0\.0\.0:9090\/tcp of this host is in use by busybox \(pid \d+\);/);
  await server.end('SIGKILL');
  await host.docker('rm', 'second', 'third');
  const endpoints = await host.calicoctl(['get', 'workloadendpoints', '-A', '-o', 'json']);
  t.equal((JSON.parse(endpoints.stdout) as { items: unknown[] }).items.length, 2, 'none is left');
  t.equal(await fetch(host.host, `http://${host.address}:8080/true`), 0, 'the first is untouched');
}

async function killed(t: Test, { host, fabric }: Scene): Promise<void> {
  const at = `http://${host.address}:8080/true`;
  await host.daemon().kill();
  t.equal(await fetch(fabric.outside, at), 0, 'without the daemon');
  await host.restartDaemon();
  await until(async () => (await listeners(host.host, 8080)) === 1, 'the port to be held again');
  t.equal(await fetch(fabric.outside, at), 0);
  t.equal(await fetch(host.host, 'http://127.0.0.1:8080/true'), 0);
}

const POLICY = `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: only-81 }
spec:
  selector: all()
  types: [Ingress]
  ingress: [{ action: Allow, protocol: TCP, destination: { ports: [81] } }]
`;

async function policies(t: Test, { host, fabric }: Scene): Promise<void> {
  const at = `http://${host.address}:8080/true`;
  await host.calicoctl(['create', '-f', '-'], POLICY);
  await until(async () => (await fetch(fabric.outside, at)) !== 0, 'the policy to deny');
  await host.calicoctl(['delete', 'globalnetworkpolicy', 'only-81']);
  await until(async () => (await fetch(fabric.outside, at)) === 0, 'it to pass again');
  t.pass('who wrote a policy is obeyed');
}

/** `-p 80` alone, and a range; and on an internal network nothing is published. */
async function anyPort(t: Test, { host, fabric }: Scene): Promise<void> {
  const other = await runContainer(host, 'other', 'net1', '-p', '80', '-p', '8080-8082:81');
  await host.docker('exec', '-d', 'other', 'httpd', '-f', '-p', '80', '-h', '/bin');
  const { stdout } = await host.calicoctl(['status', '-o', 'json']);
  const { publishedPorts } = JSON.parse(stdout) as {
    publishedPorts: readonly { port: string; leadsTo: string }[];
  };
  const portOf = (target: string): string | undefined =>
    publishedPorts.find(({ leadsTo }) => leadsTo === target)?.port;
  t.equal(portOf(`${other.address}:81`), '0.0.0.0:8081/tcp', 'the first of the range that is free');
  const chosen = /:(\d+)\/tcp$/.exec(portOf(`${other.address}:80`) ?? '')?.[1];
  t.equal(await fetch(fabric.outside, `http://${host.address}:${chosen}/true`), 0);
  await createNetwork(host, 'inner', '--internal');
  await runContainer(host, 'hidden', 'inner', '-p', '8088:80');
  t.equal(await listeners(host.host, 8088), 0);
  await host.docker('rm', '-f', 'other', 'hidden');
  await host.docker('network', 'rm', 'inner');
}

async function rules(host: CalicoHost): Promise<string> {
  return host.host.must('nft', ['list', 'table', 'inet', 'calico-libnetwork']);
}

async function listeners(machine: LabHost, port: number): Promise<number> {
  const text = await machine.must('ss', ['-Hltn', `sport = :${port}`]);
  return text.split('\n').filter((line) => line !== '').length;
}

async function fetch(machine: LabHost, url: string): Promise<number> {
  const { status } = await machine.run('timeout', ['2', 'busybox', 'wget', '-q', '-O', '-', url]);
  return status ?? 1;
}

async function fetchIn(host: CalicoHost, container: string, url: string): Promise<number> {
  const wget = ['timeout', '2', 'wget', '-q', '-O', '/dev/null', url];
  return (await host.tryDocker('exec', container, ...wget)).status ?? 1;
}
