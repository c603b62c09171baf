import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, runContainer, type Attachment } from '../fixtures/containers.js';
import { engineObstacle } from '../fixtures/docker-engine.js';
import { droppedPackets } from '../fixtures/kernel-view.js';
import type { LabHost } from '../fixtures/lab-host.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;

for (const store of ['etcd', 'embedded'] as const) {
  t.test(`what users write, ${store}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { store });
    await t.test('profiles and policies of the same names', (t) => sameNames(t, host));
    await t.test('one policy on one label', (t) => oneLabel(t, host));
    await t.test('profile1 and allow-tcp-6379', (t) => deniedNetwork(t, host));
    if (store === 'etcd') await t.test('the host itself', (t) => hostProtection(t, host));
  });
}

const v1 = (kind: string, name: string, metadata: string, spec: string): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n${metadata}spec:\n${spec}---\n`;
const profileOf = (role: string): string =>
  v1('profile', role, `  labels:\n    role: ${role}\n`, '');

const DATABASE = `  selector: role == 'database'
  ingress:
  - action: allow
    protocol: tcp
    source:
      selector: role == 'frontend'
    destination:
      ports: [3306]
  - action: allow
    source:
      selector: role == 'database'
  egress:
  - action: allow
    destination:
      selector: role == 'database'
`;
const FRONTEND = `  selector: role == 'frontend'
  egress:
  - action: allow
    protocol: tcp
    destination:
      selector: role == 'database'
      ports: [3306]
`;

/** W3: networks, profiles and policies share their names; exactly the flows of the policies pass. */
async function sameNames(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'database');
  await createNetwork(host, 'frontend');
  await write(t, host, 'apply', profileOf('database') + profileOf('frontend'));
  const policies = v1('policy', 'database', '', DATABASE) + v1('policy', 'frontend', '', FRONTEND);
  await write(t, host, 'create', policies);
  const db1 = await server(host, 'db1', 'database', [3306, 3307]);
  const db2 = await server(host, 'db2', 'database', [3306]);
  const web = await server(host, 'web1', 'frontend', [80, 3306]);
  await server(host, 'web2', 'frontend', []);
  await passes(t, host, 'web1', db1, 3306);
  await passes(t, host, 'web2', db2, 3306);
  await passes(t, host, 'db2', db1, 3307);
  await denied(t, host, 'web1', db1, 3307);
  await denied(t, host, 'db1', web, 3306);
  await denied(t, host, 'web2', web, 80);
}

/** W6: a label of the container is a label of its endpoint, and a policy selects it. */
async function oneLabel(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'plain');
  const label = ['--label', 'org.projectcalico.label.app=my-nginx'];
  const nginx = await server(host, 'my-nginx', 'plain', [80, 8080], ...label);
  await server(host, 'visitor', 'plain', []);
  await passes(t, host, 'visitor', nginx, 8080);
  const namespace = await namespaceOf(host, nginx);
  const policy = `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  name: allow-80
  namespace: ${namespace}
spec:
  selector: app == "my-nginx"
  ingress:
  - action: Allow
    protocol: TCP
    destination:
      ports: [80]
`;
  await write(t, host, 'create', policy);
  await until(async () => !(await reached(host, 'visitor', nginx, 8080, 1)), 'the policy');
  await passes(t, host, 'visitor', nginx, 80);
  await denied(t, host, 'visitor', nginx, 8080);
  const own = await host.run('busybox', [
    'wget',
    '-q',
    '-O',
    '-',
    `http://${nginx.address}:8080/true`,
  ]);
  t.equal(own.status, 0, 'the own host may always');
  t.equal(
    (await host.calicoctl(['delete', 'networkpolicy', 'allow-80', '-n', namespace])).status,
    0,
  );
  await until(() => reached(host, 'visitor', nginx, 8080, 1), 'its end');
}

/** A profile that denies a network before it allows its own, and a policy on one port. */
async function deniedNetwork(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'profile1');
  const one = await server(host, 'one', 'profile1', [6379, 6380]);
  const two = await server(host, 'two', 'profile1', []);
  await passes(t, host, 'two', one, 6380);
  const rules = (net: string): string => `apiVersion: projectcalico.org/v3
kind: Profile
metadata:
  name: profile1
spec:
  ingress:
  - action: Deny
    source:
      nets: [${net}]
  - action: Allow
    source:
      selector: profile == 'profile1'
  egress:
  - action: Allow
  labelsToApply:
    profile: profile1
`;
  await write(t, host, 'apply', rules('10.0.20.0/24'));
  await passes(t, host, 'two', one, 6380);
  await write(t, host, 'apply', rules(`${two.address}/32`));
  await until(async () => !(await reached(host, 'two', one, 6380, 1)), 'the profile');
  await denied(t, host, 'two', one, 6380);
  const allow = `  selector: profile == 'profile1'
  ingress:
  - action: allow
    protocol: tcp
    destination:
      ports: [6379]
`;
  await write(t, host, 'create', v1('policy', 'allow-tcp-6379', '', allow));
  await until(() => reached(host, 'two', one, 6379, 1), 'the policy');
  await denied(t, host, 'two', one, 6380);
}

/** W7: a v1 host endpoint; failsafe ports stay open, and the policy opens another. */
async function hostProtection(t: Test, host: CalicoHost): Promise<void> {
  for (const port of [22, 8081, 8082]) await serve(host.host, port);
  const { outside, address } = host;
  const get = async (port: number, waitS: number): Promise<boolean> => {
    const url = `http://${address}:${port}/true`;
    const wget = ['busybox', 'wget', '-q', '-O', '-', url];
    return (await outside.run('timeout', [String(waitS), ...wget])).status === 0;
  };
  t.ok(await get(8081, 5), 'open before');
  const node = (await host.run('hostname', [])).stdout.trim();
  const endpoint = `apiVersion: v1
kind: hostEndpoint
metadata:
  name: eth0
  node: ${node}
  labels:
    role: edge
spec:
  expectedIPs: ["198.51.100.1", "${address}"]
`;
  const created = await host.calicoctl(['create', '-f', '-'], endpoint);
  t.equal(created.status, 0, created.stderr);
  await until(async () => !(await get(8081, 1)), 'the host endpoint');
  t.ok(await get(22, 5), 'failsafe');
  const allow = `  selector: role == 'edge'
  ingress:
  - action: allow
    protocol: tcp
    destination:
      ports: [8081]
`;
  await write(t, host, 'create', v1('policy', 'edge', '', allow));
  await until(() => get(8081, 1), 'the policy');
  const before = await droppedPackets(host.host);
  t.notOk(await get(8082, 1));
  t.ok((await droppedPackets(host.host)) > before);
  const db1 = await host.docker(
    'inspect',
    '-f',
    '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
    'db1',
  );
  t.ok(await reached(host, 'web1', { address: db1 }, 3306, 5), 'containers as before');
}

async function write(t: Test, host: CalicoHost, verb: string, text: string): Promise<void> {
  const result = await host.calicoctl([verb, '-f', '-'], text);
  t.equal(result.status, 0, result.stdout + result.stderr);
}

async function namespaceOf(host: CalicoHost, of: Attachment): Promise<string> {
  const listed = await host.calicoctl(['get', 'workloadendpoints', '-A', '-o', 'json']);
  const { items } = JSON.parse(listed.stdout) as {
    readonly items: readonly {
      readonly metadata: { readonly namespace: string };
      readonly spec: { readonly endpoint: string };
    }[];
  };
  return items.find(({ spec }) => spec.endpoint === of.endpointId)?.metadata.namespace ?? '';
}

/** A container with web servers on these ports. */
async function server(
  host: CalicoHost,
  name: string,
  network: string,
  ports: readonly number[],
  ...options: readonly string[]
): Promise<Attachment> {
  const found = await runContainer(host, name, network, ...options);
  for (const port of ports) {
    await host.docker('exec', '-d', name, 'httpd', '-f', '-p', String(port), '-h', '/bin');
  }
  return found;
}

async function serve(machine: LabHost, port: number): Promise<void> {
  const web = await machine.spawn('busybox', ['httpd', '-f', '-p', String(port), '-h', '/bin']);
  await until(
    async () => (await machine.must('ss', ['-Hltn', `sport = :${port}`])).trim() !== '',
    'the web server',
  );
  if (!web.running()) throw new Error(web.log());
}

async function reached(
  host: CalicoHost,
  from: string,
  to: Pick<Attachment, 'address'>,
  port: number,
  waitS: number,
): Promise<boolean> {
  const url = `http://${to.address}:${port}/true`;
  const wget = ['timeout', String(waitS), 'wget', '-q', '-O', '/dev/null', url];
  return (await host.tryDocker('exec', from, ...wget)).status === 0;
}

async function passes(t: Test, host: CalicoHost, from: string, to: Attachment, port: number) {
  const found = until(() => reached(host, from, to, port, 2), 'an answer', 15_000);
  await t.resolves(found, `${from} reaches ${to.container}:${port}`);
}

async function denied(t: Test, host: CalicoHost, from: string, to: Attachment, port: number) {
  const before = await droppedPackets(host.host);
  t.notOk(await reached(host, from, to, port, 1), `${from} does not reach ${to.container}:${port}`);
  t.ok((await droppedPackets(host.host)) > before, 'a rule dropped it');
}
