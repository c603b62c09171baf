import t from 'tap';
import {
  checkResource,
  completeResource,
  decodeResource,
  encodeResource,
  findKind,
  invalidFields,
  kinds,
  readManifests,
  type Manifest,
  type Resource,
} from '../../../src/model/v3/index.js';
import { capturedStore } from '../../fixtures/captured-store.js';

/** What is wrong with the only object of a text; empty when it is accepted. */
function verdict(text: string): string {
  const [manifest] = readManifests(text, 'test.yaml');
  if (manifest === undefined) return 'empty';
  const { kind } = manifest;
  const problems = checkResource(kind, completeResource(kind, manifest.resource));
  return problems.length === 0 ? '' : invalidFields(problems).message;
}

const pool = (spec: string, name = 'x'): string =>
  `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const object = (kind: string, spec: string, metadata = '{name: x}'): string =>
  `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;

const written = [
  'a01-node',
  'a02-ippool',
  'a03-bgpconfiguration',
  'a04-bgppeer',
  'a05-profile',
  'a08-workloadendpoint',
  'a11-other-kinds',
];

t.test('manifests are stored byte for byte as calicoctl stores them', async (t) => {
  let compared = 0;
  for (const scenario of written) {
    const { files, raw_after: stored } = capturedStore(scenario);
    for (const text of Object.values(files)) {
      let manifests: Manifest[];
      try {
        manifests = readManifests(text, scenario);
      } catch {
        continue; // Manifests that calicoctl refuses as well are among the files.
      }
      for (const { kind, resource } of manifests) {
        const completed = completeResource(kind, resource);
        if (kind.readOnly === true || checkResource(kind, completed).length > 0) continue;
        const { name, namespace } = completed.metadata;
        const path = namespace === undefined ? name : `${namespace}/${name}`;
        const value = stored[`/calico/resources/v3/projectcalico.org/${kind.plural}/${path}`];
        if (value === undefined) continue;
        const { uid, creationTimestamp } = decodeResource(value).metadata;
        const metadata = { ...completed.metadata, uid, creationTimestamp } as Resource['metadata'];
        t.equal(encodeResource({ ...completed, metadata }), value, `${scenario} ${path}`);
        compared += 1;
      }
    }
  }
  t.ok(compared >= 20, `${compared} objects compared`);
});

t.test('examples of the help are accepted', async (t) => {
  for (const kind of kinds.filter((each) => each.readOnly !== true)) {
    t.equal(verdict(kind.example), '', kind.kind);
  }
});

t.test('kinds by every name', async (t) => {
  for (const name of ['ippool', 'ipPools', 'IPPool', 'ipp', 'pool']) {
    t.equal(findKind(name)?.kind, 'IPPool', name);
  }
  t.equal(findKind('wep')?.kind, 'WorkloadEndpoint');
  t.equal(findKind('no')?.kind, 'Node');
  t.equal(findKind('bogus'), undefined);
});

t.test('a malformed text is refused as a whole', async (t) => {
  const refused: [string, string | RegExp][] = [
    [
      pool('{cidr: 10.99.0.0/16, cidrs: 1}'),
      'field in document is not recognized or is in the wrong location: cidrs',
    ],
    [pool('{cidr: 10.99.0.0/16, natOutgoing: "yes"}'), /spec.natOutgoing must be true or false/],
    [pool('{cidr: 10.99.0.0/16, blockSize: big}'), /spec.blockSize must be a whole number/],
    [object('Nope', '{}'), /unknown resource type \(Nope\).*known are .*IPPool/],
    [object('ippool', '{}'), /write kind: IPPool/],
    ['kind: IPPool\n', /unknown resource type \(IPPool\) and\/or version \(\)/],
    ['just text', /holds no object/],
    ['kind: [', /line 6, column 8/],
    ['a: 1\na: 2\n', /Map keys must be unique/],
    [object('IPPool', '{}', '{name: x, bogus: 1}'), /wrong location: bogus/],
    ['apiVersion: v1\nkind: ipPool\nmetadata: {cidr: 10.0.0.1/24}\nspec: {}\n', /host bits/],
    ['apiVersion: v1\nkind: ipPool\nmetadata: {name: x}\nspec: {}\n', /wrong location: name/],
  ];
  for (const [text, message] of refused) {
    const both = `${pool('{cidr: 10.1.0.0/16}')}---\n${text}`;
    t.throws(() => readManifests(both, 'f.yaml'), { kind: 'invalid', message }, text);
  }
});

t.test('values that Calico refuses are refused, with the same fields', async (t) => {
  const cases: [string, RegExp][] = [
    [pool('{cidr: 10.20.0.300/16}'), /IPPool.Spec.CIDR = '10.20.0.300\/16' \(.*valid subnet/],
    [pool('{cidr: 10.99.0.1/16}'), /not strictly masked.*10.99.0.0\/16/],
    [pool('{cidr: 10.99.0.0/16, blockSize: 33}'), /between 20 and 32/],
    [pool('{cidr: 10.99.0.0/27, blockSize: 26}'), /smaller than one block/],
    [pool('{cidr: 10.99.0.0/16, ipipMode: Always, vxlanMode: Always}'), /cannot both/],
    [pool('{cidr: 10.99.0.0/16, ipipMode: always}'), /spec.ipipMode = 'always' \(supported values/],
    [pool('{cidr: "fd00::/64", ipipMode: Always}'), /not supported on IPv6/],
    [pool('{cidr: 169.254.0.0/24}'), /link local range 169.254.0.0\/16/],
    [pool('{cidr: 10.99.0.0/16, nodeSelector: "rack = 1"}'), /NodeSelector = 'rack = 1'/],
    [pool('{cidr: 10.99.0.0/16, nodeSelector: "a == \'global(\'"}'), /global\(\)/],
    [pool('{cidr: 10.99.0.0/16, namespaceSelector: "all()"}'), /allowedUses: \[Workload\]/],
    [pool('{cidr: 10.99.0.0/24, allowedUses: [LoadBalancer, Workload]}'), /LoadBalancer/],
    [pool('{}'), /IPPool.Spec.CIDR \(IPPool CIDR must be specified\)/],
    [pool('{cidr: 10.99.0.0/16}', 'X_y'), /Metadata.Name = 'X_y'/],
    [object('Node', '{}', '{name: x, labels: {"a b": c}}'), /Labels \(label\) = 'a b'/],
    [object('Node', '{}', '{name: x, labels: {a: "c d"}}'), /Labels \(value\) = 'c d'/],
    [object('Node', '{bgp: {}}'), /BGP = '{}' \(Spec.BGP should not be empty/],
    [object('Node', '{bgp: {ipv4Address: "fd00::1"}}'), /IPv4Address = 'fd00::1'/],
    [object('Node', '{bgp: {routeReflectorClusterID: abc}}'), /RouteReflectorClusterID = 'abc'/],
    [object('IPReservation', '{reservedCIDRs: [10.0.0.1]}'), /reservedCIDRs\[0\]/],
    [object('Profile', '{ingress: [{action: allow}]}'), /spec.ingress\[0\].action = 'allow'/],
    [
      object('Profile', '{ingress: [{action: Allow, destination: {ports: [80]}}]}'),
      /Destination.Ports = '\[80\]' \(rules with numeric port/,
    ],
    [
      object('Profile', '{ingress: [{action: Allow, protocol: tcp}]}'),
      /Protocol = 'tcp' \(protocol name invalid/,
    ],
    [
      object('Profile', '{ingress: [{action: Allow, source: {nets: [10.0.0.1/8]}}]}'),
      /Source.Nets = '10.0.0.1\/8'/,
    ],
    [
      object('Profile', '{ingress: [{action: Allow, source: {nets: [10.0.0.0/8, "fd00::/8"]}}]}'),
      /both IPv4 and IPv6/,
    ],
    [
      object('Profile', '{ingress: [{action: Allow, protocol: ICMP, icmp: {code: 8}}]}'),
      /code specified without/,
    ],
  ];
  for (const [text, message] of cases) t.match(verdict(text), message, text);
});

t.test('workload endpoints', async (t) => {
  const endpoint = (spec: string, name = ''): string =>
    object(
      'WorkloadEndpoint',
      `{orchestrator: libnetwork, workload: libnetwork, node: node-1, endpoint: b1, ${spec}}`,
      `{${name === '' ? '' : `name: ${name}, `}namespace: default}`,
    );
  t.equal(verdict(endpoint('interfaceName: calib1, ipNetworks: [10.0.0.1]')), '');
  t.match(verdict(endpoint('interfaceName: calib1', 'wrong')), /expected name node--1-libnetwork/);
  t.match(verdict(endpoint('interfaceName: calib1, ipNetworks: [10.0.0.0/24]')), /IPNetworks/);
  t.match(verdict(endpoint('interfaceName: calib1, mac: zz')), /MAC = 'zz'/);
  t.match(verdict(endpoint('profiles: [a]')), /InterfaceName/);
  t.match(
    verdict(object('WorkloadEndpoint', '{orchestrator: k8s, node: n, endpoint: e}', '{}')),
    /pod \(field should be assigned\)/,
  );
});

t.test('YAML is read as Calico reads it', async (t) => {
  const [manifest] = readManifests(
    'apiVersion: projectcalico.org/v3\nkind: ippool\n'.replace('ippool', 'IPPool') +
      'metadata: {name: yes, labels: {a: 1.0, b: 012, c: on, d: null}}\n' +
      'spec: {CIDR: 10.0.0.0/24, blocksize: 28, natoutgoing: No}\n',
    'f',
  );
  t.equal(manifest?.resource.metadata.name, 'true');
  t.same(manifest?.resource.metadata.labels, { a: '1', b: '10', c: 'true', d: '' });
  t.same(manifest?.resource.spec, { cidr: '10.0.0.0/24', blockSize: 28 });
  const mapped = verdict(pool('{cidr: "::ffff:10.0.0.0/112"}'));
  t.equal(mapped, '');
});

t.test('several objects in one text', async (t) => {
  const one = '{"apiVersion":"projectcalico.org/v3","kind":"Node","metadata":{"name":"n"}}';
  const kindsOf = (text: string): string[] =>
    readManifests(text, 'f').map((manifest) => manifest.spelledKind);
  t.same(kindsOf(`${one}\n---\n# nothing\n---\n${one}`), ['Node', 'Node']);
  t.same(kindsOf(`[${one},${one}]`), ['Node', 'Node']);
  t.same(kindsOf(`{"apiVersion":"projectcalico.org/v3","kind":"NodeList","items":[${one}]}`), [
    'Node',
  ]);
  t.same(kindsOf(''), []);
  t.throws(() => readManifests(' '.repeat(11 * 1024 * 1024), 'f'), { message: /larger than/ });
});

t.test('first generation manifests', async (t) => {
  const [converted] = readManifests(
    `- apiVersion: v1
  kind: ipPool
  metadata: {cidr: 17.16.10.0/24}
  spec: {ipip: {enabled: true}, nat-outgoing: true, disabled: false}
`,
    'ipPool.yaml',
  );
  t.equal(converted?.spelledKind, 'ipPool');
  t.equal(converted?.resource.metadata.name, '17-16-10-0-24');
  t.same(converted?.resource.spec, {
    cidr: '17.16.10.0/24',
    ipipMode: 'Always',
    natOutgoing: true,
  });

  const [profile] = readManifests(
    `apiVersion: v1
kind: profile
metadata:
  name: database
  labels: {role: database}
  tags: [blue]
spec:
  ingress:
  - {action: allow, protocol: tcp, source: {tag: blue, selector: "a == 'b'"}, destination: {ports: [3306, "1:2"]}}
  - {action: deny, source: {net: 10.0.0.0/8, notTag: red}}
  egress: [{action: allow}]
`,
    'profile.yaml',
  );
  t.equal(profile?.spelledKind, 'profile');
  t.same(profile?.resource.spec, {
    ingress: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "(a == 'b') && blue == ''" },
        destination: { ports: [3306, '1:2'] },
      },
      { action: 'Deny', source: { nets: ['10.0.0.0/8'], notSelector: "red == ''" } },
    ],
    egress: [{ action: 'Allow' }],
    labelsToApply: { role: 'database', blue: '' },
  });
  t.throws(
    () =>
      readManifests(
        'apiVersion: v1\nkind: profile\nmetadata: {name: a, labels: {t: x}, tags: [t]}\n',
        'f',
      ),
    { message: /cannot both become one label/ },
  );
});
