import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { attachment, attachments, runContainer } from '../fixtures/containers.js';
import { engineObstacle, IMAGE } from '../fixtures/docker-engine.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;
const ADDRESS = '192.168.0.10';
/** Of the default pool, 192.168.0.0/16. */
const NETWORK = 'calico-default-ipv4-ippool';

const POLICY = `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  name: allow-80
  namespace: default
spec:
  selector: app == "my-nginx"
  ingress:
  - action: Allow
    protocol: TCP
    destination:
      ports: [80]
`;

/** W6 in its oldest form: a container without a network is attached by hand. */
t.test('calicoctl container', { skip }, async (t) => {
  const host = await startCalicoHost(t);
  await bare(host, 'my-nginx');
  await t.test('what cannot be done says why', (t) => refusals(t, host));
  await t.test('an attached container has its address and its policy', (t) => attached(t, host));
  await t.test('Docker attaches it again', (t) => restarted(t, host));
  await t.test('and it can be taken off', (t) => detached(t, host));
});

async function bare(host: CalicoHost, name: string, ...options: readonly string[]): Promise<void> {
  await run(host, name, '--net=none', ...options);
}

/** With web servers that its first process starts, so that they are there in every life of the container. */
async function run(host: CalicoHost, name: string, ...options: readonly string[]): Promise<void> {
  const serve = 'httpd -p 80 -h /bin; httpd -p 8080 -h /bin; exec sleep 10000';
  const start = ['run', '-d', '--name', name, '--stop-signal', 'SIGKILL'];
  await host.docker(...start, ...options, IMAGE, 'sh', '-c', serve);
}

async function refusals(t: Test, host: CalicoHost): Promise<void> {
  await refused(t, host, ['add', 'nobody', ADDRESS], 'no container of this host is called nobody');
  await refused(t, host, ['add', 'my-nginx', '192.168.0.300'], 'is no IP address');
  await refused(
    t,
    host,
    ['add', 'my-nginx', '203.0.113.9'],
    /no open IP pool.*default-ipv4-ippool/,
  );
  await refused(t, host, ['add', 'my-nginx', ADDRESS, '--network', 'absent'], /no calico network/);
  await refused(t, host, ['remove', 'my-nginx'], 'is on no network of calico');
  await run(host, 'on-host', '--net=host');
  await refused(t, host, ['add', 'on-host', ADDRESS], 'start it with --net=none');
  await host.docker('stop', 'on-host');
  await refused(t, host, ['add', 'on-host', ADDRESS], 'does not run');
  t.same([...(await attachments(host, 'my-nginx')).keys()], ['none'], 'and changes nothing');
}

async function attached(t: Test, host: CalicoHost): Promise<void> {
  const added = await host.calicoctl(['container', 'add', 'my-nginx', ADDRESS]);
  t.equal(added.status, 0, added.stderr);
  t.match(added.stdout, `Created network ${NETWORK}`);
  const nginx = await attachment(host, 'my-nginx', NETWORK);
  t.equal(nginx.address, ADDRESS);
  t.same(await appOf(host, nginx.endpointId), 'my-nginx', 'its name is its label app');
  await runContainer(host, 'visitor', NETWORK);
  t.ok(await reached(host, 8080, 5));
  await write(t, host, POLICY);
  await until(async () => !(await reached(host, 8080, 1)), 'the policy');
  t.ok(await reached(host, 80, 5));

  await refused(t, host, ['add', 'my-nginx', '192.168.0.11'], 'is attached already');
  await bare(host, 'second');
  await refused(t, host, ['add', 'second', ADDRESS], `${ADDRESS} is taken`);
  t.same([...(await attachments(host, 'second')).keys()], ['none'], 'nothing was begun');
  await host.docker('rm', '-f', 'second');
  await bare(host, 'second', '--label', 'app=other');
  const other = await host.calicoctl(['container', 'add', 'second', '192.168.0.11']);
  t.equal(other.status, 0, other.stderr);
  t.notMatch(other.stdout, 'Created', 'the network is there');
  const { endpointId } = await attachment(host, 'second', NETWORK);
  t.equal(await appOf(host, endpointId), 'other', 'its own label');
}

async function restarted(t: Test, host: CalicoHost): Promise<void> {
  await host.docker('restart', 'my-nginx');
  const nginx = await attachment(host, 'my-nginx', NETWORK);
  t.equal(nginx.address, ADDRESS);
  t.equal(await appOf(host, nginx.endpointId), 'my-nginx');
  await until(() => reached(host, 80, 1), 'the web server');
  t.notOk(await reached(host, 8080, 1));
}

async function detached(t: Test, host: CalicoHost): Promise<void> {
  const removed = await host.calicoctl(['container', 'remove', 'my-nginx']);
  t.equal(removed.status, 0, removed.stderr);
  t.same([...(await attachments(host, 'my-nginx')).keys()], ['none']);
  t.notMatch(await host.docker('exec', 'my-nginx', 'ip', 'link'), 'cali0');
  await until(
    async () =>
      (await host.calicoctl(['ipam', 'show', `--ip=${ADDRESS}`])).stdout.includes('not assigned'),
    'its address to be free',
  );
  const again = await host.calicoctl(['container', 'add', 'my-nginx', ADDRESS]);
  t.equal(again.status, 0, again.stderr);
}

async function write(t: Test, host: CalicoHost, text: string): Promise<void> {
  const result = await host.calicoctl(['create', '-f', '-'], text);
  t.equal(result.status, 0, result.stdout + result.stderr);
}

async function refused(
  t: Test,
  host: CalicoHost,
  words: readonly string[],
  why: string | RegExp,
): Promise<void> {
  const { status, stderr } = await host.calicoctl(['container', ...words]);
  t.equal(status, 1);
  t.match(stderr, why);
  t.equal(stderr.trim().split('\n').length, 1, 'one line');
}

async function appOf(host: CalicoHost, endpointId: string): Promise<string | undefined> {
  const listed = await host.calicoctl(['get', 'workloadendpoints', '-A', '-o', 'json']);
  const { items } = JSON.parse(listed.stdout) as {
    readonly items: readonly {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly endpoint: string };
    }[];
  };
  return items.find(({ spec }) => spec.endpoint === endpointId)?.metadata.labels['app'];
}

async function reached(host: CalicoHost, port: number, waitS: number): Promise<boolean> {
  const wget = ['timeout', String(waitS), 'wget', '-q', '-O', '/dev/null'];
  const url = `http://${ADDRESS}:${port}/true`;
  return (await host.tryDocker('exec', 'visitor', ...wget, url)).status === 0;
}
