import t from 'tap';
import { cliOn } from '../fixtures/cli-run.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const V3 = 'apiVersion: projectcalico.org/v3\n';
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const object = (kind: string, metadata: string, spec = '{}'): string =>
  `${V3}kind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;
const old = (name: string, spec: object, metadata: object = {}): string =>
  JSON.stringify({
    kind: 'GlobalNetworkPolicy',
    apiVersion: 'projectcalico.org/v3',
    metadata: { name, uid: 'u', creationTimestamp: '2019-01-01T00:00:00Z', ...metadata },
    spec,
  });

t.test(
  'a policy of an older client is found, shown, changed and removed in its place',
  async (t) => {
    const key = `${RESOURCES}/globalnetworkpolicies/default.web`;
    const store = createMemoryStore({
      entries: { [key]: old('default.web', { selector: 'has(a)', future: 1 }) },
    });
    const cli = cliOn(store);
    t.match(await cli('get gnp web -o yaml'), { status: 0, out: /name: web\n/ });
    const stdin = object('GlobalNetworkPolicy', '{name: web}', '{selector: has(b)}');
    t.match(await cli('create -f -', { stdin }), {
      status: 1,
      err: /already exists: Glob.*\(web\)/,
    });
    t.match(await cli('apply -f -', { stdin }), { status: 0 });
    t.match(await cli(`patch gnp web -p '{"spec":{"order":3}}'`), { status: 0, err: '' });
    t.match(await cli('label gnp web x=y'), { status: 0 });
    const { metadata, spec } = JSON.parse(store.dump()[key] ?? '{}') as Record<string, unknown>;
    t.match(metadata, {
      name: 'default.web',
      uid: 'u',
      labels: { x: 'y', 'projectcalico.org/tier': 'default' },
      annotations: { 'projectcalico.org/metadata': '{"name":"web"}' },
    });
    t.match(spec, { selector: 'has(b)', order: 3, future: 1, types: ['Ingress'] });
    t.notOk(store.dump()[`${RESOURCES}/globalnetworkpolicies/web`], 'no second object');
    t.match(await cli('get gnp'), { out: 'NAME   TIER      \nweb    default   \n\n' });
    t.match(await cli('delete gnp web'), { status: 0 });
    t.notOk(store.dump()[key]);
  },
);

t.test('a name that only looks like an old key stays its own', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  const dotted = object('GlobalNetworkPolicy', '{name: default.web}');
  t.match(await cli('create -f -', { stdin: dotted }), { status: 0 });
  t.match(await cli('get gnp web'), { status: 1, err: /does not exist/ });
  const plain = object('GlobalNetworkPolicy', '{name: web}');
  t.match(await cli('create -f -', { stdin: plain }), { status: 0 });
  t.match(await cli(`patch gnp default.web -p '{"spec":{"order":3}}'`), { status: 0 });
  t.match(await cli('get gnp -o wide'), {
    out: /^NAME .*\ndefault.web +default +3 .*\nweb +default +<nil> /,
  });
});

t.test('what cannot be enforced is refused with the reason', async (t) => {
  const cli = cliOn(createMemoryStore());
  const refused: [string, RegExp][] = [
    ['ingress: [{action: Allow, http: {methods: [GET]}}]', /ingress\[0\]\.http \(.*needs a proxy/],
    [
      'ingress: [{action: Allow, source: {services: {name: x}}}]',
      /source\.services \(.*Kubernetes/,
    ],
    [
      'egress: [{action: Allow, destination: {serviceAccounts: {names: [x]}}}]',
      /destination\.serviceAccounts \(/,
    ],
    ['serviceAccountSelector: has(x)', /spec\.serviceAccountSelector \(.*Kubernetes/],
    ['types: [Sideways]', /supported values: "Ingress", "Egress"/],
    ['order: first', /spec\.order must be a number/],
    ['bogus: 1', /wrong location: bogus/],
    ['selector: "role = 1"', /Selector = 'role = 1'/],
    [`selector: "${'a'.repeat(1025)}"`, /at most 1024 characters/],
    [`ingress: [${'{action: Allow},'.repeat(1025)}]`, /at most 1024 rules/],
    [
      `ingress: [{action: Allow, source: {nets: [${'10.0.0.0/8,'.repeat(257)}]}}]`,
      /257 nets' \(at most 256/,
    ],
    [
      `ingress: [{action: Allow, protocol: TCP, source: {ports: [${'80,'.repeat(51)}]}}]`,
      /51 ports' \(at most 50/,
    ],
  ];
  for (const [spec, reason] of refused) {
    const stdin = object('NetworkPolicy', '{name: p}', `{${spec}}`);
    t.match(await cli('create -f -', { stdin }), { status: 1, err: reason }, spec.slice(0, 60));
  }
});

t.test('a tier must exist, and stays while policies are in it', async (t) => {
  const cli = cliOn(createMemoryStore());
  const policy = object('NetworkPolicy', '{name: p}', '{tier: web}');
  t.match(await cli('create -f -', { stdin: policy }), {
    status: 1,
    err: /Tier\(web\).*create the tier first, or use one of default, kube-admin, kube-baseline/,
  });
  t.match(await cli('create -f -', { stdin: object('Tier', '{name: web}') }), { status: 0 });
  t.match(await cli('create -f -', { stdin: policy }), { status: 0 });
  t.match(await cli(`patch np p -p '{"spec":{"tier":"nope"}}'`), {
    status: 1,
    err: /Tier\(nope\)/,
  });
  t.match(await cli('delete tier web'), {
    status: 1,
    err: /Cannot delete a non-empty tier: it holds networkpolicies\/default\/p/,
  });
  t.match(await cli('delete np p'), { status: 0 });
  t.match(await cli('delete tier web'), { status: 0 });
  t.match(await cli('delete tier kube-admin'), { err: /Cannot delete kube-admin tier/ });
});

t.test('staged policies are said not to be enforced', async (t) => {
  const cli = cliOn(createMemoryStore());
  const stdin = object('StagedNetworkPolicy', '{name: s}');
  t.match(await cli('create -f -', { stdin }), {
    status: 0,
    err: /^note: StagedNetworkPolicy s is stored and not enforced: .* written as NetworkPolicy\n$/,
  });
});

t.test('a host endpoint that shuts its host is warned of', async (t) => {
  const cli = cliOn(createMemoryStore());
  const bare = object(
    'HostEndpoint',
    '{name: h, labels: {role: edge}}',
    '{node: n1, interfaceName: eth0}',
  );
  t.match(await cli('create -f -', { stdin: bare }), {
    status: 0,
    err: /^warning: HostEndpoint h has no profile and no policy selects it: n1 refuses everything on eth0 except failsafe/,
  });
  const policy = object('GlobalNetworkPolicy', '{name: edge}', '{selector: "role == \'edge\'"}');
  await cli('create -f -', { stdin: policy });
  t.match(await cli('apply -f -', { stdin: bare }), { status: 0, err: '' });
  const open = object(
    'HostEndpoint',
    '{name: i}',
    '{node: n1, interfaceName: "*", profiles: [projectcalico-default-allow]}',
  );
  t.match(await cli('create -f -', { stdin: open }), { status: 0, err: '' });
});

const W3 = `apiVersion: v1
kind: policy
metadata: {name: database}
spec:
  order: 0
  selector: role == 'database'
  ingress:
  - {action: allow, protocol: tcp, source: {selector: role == 'frontend'}, destination: {ports: [3306]}}
  - {action: allow, source: {selector: role == 'database'}}
  egress:
  - {action: allow, destination: {selector: role == 'database'}}
---
apiVersion: v1
kind: policy
metadata: {name: frontend}
spec:
  order: 0
  selector: role == 'frontend'
  egress:
  - {action: allow, protocol: tcp, destination: {selector: role == 'database', ports: [3306]}}
`;

t.test('policies and host endpoints of the first generation', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  t.match(await cli('create -f -', { stdin: W3 }), {
    status: 0,
    out: "Successfully created 2 'policy' resource(s)\n",
  });
  const specOf = (name: string): unknown => {
    const text = store.dump()[`${RESOURCES}/globalnetworkpolicies/${name}`] ?? '{}';
    return (JSON.parse(text) as { spec: unknown }).spec;
  };
  t.same(specOf('database'), {
    tier: 'default',
    order: 0,
    ingress: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "role == 'frontend'" },
        destination: { ports: [3306] },
      },
      { action: 'Allow', source: { selector: "role == 'database'" } },
    ],
    egress: [{ action: 'Allow', destination: { selector: "role == 'database'" } }],
    selector: "role == 'database'",
    types: ['Ingress', 'Egress'],
  });
  t.match(specOf('frontend'), { types: ['Egress'] });

  const other = `apiVersion: v1
kind: policy
metadata: {name: Old.Name, annotations: {a: b}}
spec: {doNotTrack: true, types: [ingress], selector: calico/k8s_ns == 'x', order: 1}
`;
  t.match(await cli('create -f -', { stdin: other }), { status: 0 });
  t.match(specOf('old-name-2444f185'), {
    selector: "projectcalico.org/namespace == 'x'",
    types: ['Ingress'],
    doNotTrack: true,
    applyOnForward: true,
  });

  const host = `apiVersion: v1
kind: hostEndpoint
metadata: {name: eth0, node: MyHost, labels: {role: web}}
spec:
  interfaceName: eth0
  expectedIPs: ["fd00::1", 192.0.2.1]
  profiles: [p1]
  ports: [{name: http, protocol: tcp, port: 80}]
`;
  t.match(await cli('create -f -', { stdin: host }), {
    status: 0,
    out: "Successfully created 1 'hostEndpoint' resource(s)\n",
    err: '',
  });
  t.match(await cli('get hep -o wide'), {
    out: /myhost.eth0 +myhost +eth0 +192.0.2.1,fd00::1 +p1/,
  });
  t.match(await cli('delete -f -', { stdin: host }), { status: 0 });
  for (const [manifest, reason] of [
    [W3.replace('allow,', 'next-tier,'), /must be allow, deny, log or pass/],
    [other.replace('[ingress]', '[sideways]'), /ingress or egress in a v1 manifest/],
    [host.replace('interfaceName', 'interface'), /wrong location: interface/],
  ] as const) {
    t.match(await cli('create -f -', { stdin: manifest }), { status: 1, err: reason });
  }
});
