import t from 'tap';
import {
  decodeHostEndpoint,
  decodeNetworkPolicy,
  decodeNetworkSet,
  decodeResource,
  decodeTier,
  decodeWorkloadEndpoint,
  encodeResource,
  encodeWorkloadEndpoint,
  policyKeyNames,
} from '../../../src/model/v3/index.js';
import { capturedObject, capturedStore } from '../../fixtures/captured-store.js';
import { faultOf } from '../../fixtures/fault-of.js';

const policies = capturedStore('a06-networkpolicy');
const names = capturedStore('b03-policy-names');

const policyText = (spec: object, metadata: object = {}, kind = 'GlobalNetworkPolicy'): string =>
  JSON.stringify({ kind, metadata: { name: 'p', ...metadata }, spec });

t.test('what calicoctl stored is written again byte for byte', async (t) => {
  for (const store of [policies, names, capturedStore('a07-hostendpoint')]) {
    for (const [key, value] of Object.entries(store.raw_after)) {
      if (!key.includes('/resources/v3/')) continue;
      t.equal(encodeResource(decodeResource(value)), value, key);
    }
  }
});

t.test('policies as calicoctl stores them', async (t) => {
  const namespaced = decodeNetworkPolicy(
    capturedObject(policies, 'networkpolicies/prod/allow-tcp-6379'),
  );
  t.match(namespaced, {
    name: 'allow-tcp-6379',
    namespace: 'prod',
    tier: 'default',
    order: 100,
    selector: 'role == \'database\' && env in {"a", "b"}',
    types: ['Ingress', 'Egress'],
    doNotTrack: false,
  });
  t.same(namespaced.unsupported, []);
  t.same(namespaced.ingress[0]?.destination?.ports, [6379, '7000:7010', 'web']);

  const global = decodeNetworkPolicy(capturedObject(policies, 'globalnetworkpolicies/everything'));
  t.notOk('namespace' in global);
  t.match(global, {
    order: 0.5,
    namespaceSelector: 'has(x)',
    types: ['Ingress'],
    doNotTrack: true,
    preDNAT: false,
    applyOnForward: true,
  });
  t.same(global.unsupported, []);

  const plain = decodeNetworkPolicy(
    capturedObject(policies, 'networkpolicies/default/no-namespace'),
  );
  t.match(plain, { selector: 'all()', types: ['Ingress'], ingress: [], egress: [] });
  t.notOk('order' in plain);
});

t.test('a policy is called by its annotation, or loses the prefix of its tier', async (t) => {
  const name = (text: string): string => decodeNetworkPolicy(text).name;
  t.equal(name(capturedObject(names, 'globalnetworkpolicies/default.foo')), 'default.foo');
  t.equal(name(capturedObject(names, 'globalnetworkpolicies/old')), 'old');
  t.equal(name(policyText({}, { name: 'default.old' })), 'old', 'Calico up to 3.28');
  t.equal(name(policyText({ tier: 'net' }, { name: 'net.old' })), 'net.old', 'another tier');
  t.equal(name(policyText({}, { name: 'knp.default.x' })), 'knp.default.x');
  const annotations = { 'projectcalico.org/metadata': '{"name":"foo"}' };
  t.equal(name(policyText({}, { name: 'default.foo', annotations })), 'foo', 'Calico 3.29 to 3.31');
  const broken = { 'projectcalico.org/metadata': '{' };
  t.equal(name(policyText({}, { name: 'foo', annotations: broken })), 'foo');
  t.same(policyKeyNames('foo'), ['foo', 'default.foo']);
});

t.test('what cannot be enforced is said', async (t) => {
  const said = (spec: object): readonly string[] =>
    decodeNetworkPolicy(policyText(spec)).unsupported;
  const rule = (members: object): object => ({ ingress: [{ action: 'Allow', ...members }] });
  const cases: [object, RegExp][] = [
    [{ serviceAccountSelector: 'has(x)' }, /^serviceAccountSelector/],
    [rule({ source: { serviceAccounts: { names: ['a'] } } }), /^ingress\[0\]: source\.serviceAcc/],
    [rule({ destination: { services: { name: 'x' } } }), /destination\.services/],
    [rule({ http: { methods: ['GET'] } }), /http/],
    [rule({ protocol: 'CARRIER-PIGEON' }), /protocol "CARRIER-PIGEON"/],
    [rule({ protocol: 256 }), /protocol 256/],
    [rule({ ipVersion: 5 }), /ipVersion 5/],
    [rule({ source: { nets: ['banana'] } }), /nets holds "banana"/],
    [rule({ source: { nets: 'banana' } }), /nets "banana" is no list/],
    [rule({ source: { selector: 'a == ' } }), /source\.selector/],
    [rule({ destination: { ports: [80] } }), /ports without protocol/],
    [rule({ protocol: 'ICMP', destination: { ports: ['http'] } }), /ports without protocol/],
    [rule({ protocol: 'TCP', destination: { ports: ['9:2'] } }), /"9:2"/],
    [rule({ icmp: { type: 8, code: 0 }, protocol: 'TCP' }), /icmp without protocol/],
    [rule({ notICMP: { type: 8 } }), /notICMP without protocol/],
    [rule({ notICMP: {}, protocol: 'ICMP' }), /notICMP has no type/],
    [rule({ action: 'Allow-ish' }), /^ingress: .*Allow-ish/],
    [{ ingress: 'all of it' }, /^ingress: .*no list/],
    [{ order: 'first' }, /^order/],
    [{ types: ['Sideways'] }, /^types/],
  ];
  for (const [spec, reason] of cases) {
    const found = said(spec);
    t.equal(found.length, 1, JSON.stringify(spec));
    t.match(found[0], reason);
  }
  const fine = rule({
    protocol: 'tcp',
    source: { nets: ['10.0.0.1'], serviceAccounts: {}, namespaceSelector: 'global()' },
    destination: { ports: ['80', '1:2', 'http'], services: null },
  });
  t.same(said(fine), []);
  t.same(said(rule({ destination: { ports: ['http'] } })), [], 'names alone need no protocol');
});

t.test('a policy that cannot be understood is corrupt', async (t) => {
  for (const [spec, metadata, kind] of [
    [{ selector: 'role ==' }, {}, 'GlobalNetworkPolicy'],
    [{ selector: 7 }, {}, 'GlobalNetworkPolicy'],
    [{ namespaceSelector: ')' }, {}, 'GlobalNetworkPolicy'],
    [{}, {}, 'NetworkPolicy'],
    [{}, {}, 'StagedGlobalNetworkPolicy'],
  ] as const) {
    const fault = await faultOf(() => decodeNetworkPolicy(policyText(spec, metadata, kind), 'key'));
    t.match(fault, { kind: 'corrupt', message: /key/ }, JSON.stringify(spec));
  }
});

t.test('types that nobody filled in mean both directions', async (t) => {
  const types = (value?: unknown): readonly string[] =>
    decodeNetworkPolicy(policyText({ types: value })).types;
  t.same(types(), ['Ingress', 'Egress']);
  t.same(types(null), ['Ingress', 'Egress']);
  t.same(types([]), ['Ingress', 'Egress']);
  t.same(types(['egress']), ['Egress']);
});

t.test('tiers', async (t) => {
  t.same(decodeTier(capturedObject(policies, 'tiers/kube-admin')), {
    name: 'kube-admin',
    order: 1000,
    defaultAction: 'Pass',
  });
  t.same(decodeTier('{"kind":"Tier","metadata":{"name":"t"},"spec":{}}'), {
    name: 't',
    defaultAction: 'Deny',
  });
});

t.test('network sets', async (t) => {
  const sets = capturedStore('a09-networksets');
  const global = decodeNetworkSet(capturedObject(sets, 'globalnetworksets/blocklist'));
  t.notOk('namespace' in global);
  t.same(global.nets.map(String), [
    '198.51.100.0/28',
    '203.0.113.0/24',
    '192.0.2.7/32',
    'fd00::/8',
  ]);
  t.same(global.labels, { kind: 'bad' });
  const own = decodeNetworkSet(capturedObject(sets, 'networksets/prod/partners'));
  t.match(own, {
    name: 'partners',
    namespace: 'prod',
    labels: { kind: 'partner', 'projectcalico.org/namespace': 'prod' },
  });
  const set = (nets: unknown): string =>
    JSON.stringify({ kind: 'GlobalNetworkSet', metadata: { name: 's' }, spec: { nets } });
  t.same(decodeNetworkSet(set(['10.0.0.7/8', ''])).nets.map(String), ['10.0.0.0/8']);
  t.same(decodeNetworkSet(set(null)).nets, []);
  t.match(await faultOf(() => decodeNetworkSet(set(['banana']))), { kind: 'corrupt' });
  t.match(await faultOf(() => decodeNetworkSet(set([]).replace('Global', ''), 'k')), {
    kind: 'corrupt',
  });
});

t.test('host endpoints and ports that rules may name', async (t) => {
  const store = capturedStore('a07-hostendpoint');
  t.same(decodeHostEndpoint(capturedObject(store, 'hostendpoints/node1-eth0')), {
    name: 'node1-eth0',
    node: 'node1',
    interfaceName: 'eth0',
    expectedIPs: ['172.16.60.215', 'fd00:60::215'],
    profiles: ['net1'],
    ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
    labels: { role: 'edge' },
  });
  t.match(decodeHostEndpoint(capturedObject(store, 'hostendpoints/node1-all')), {
    interfaceName: '*',
    expectedIPs: [],
  });
  const text = JSON.stringify({
    kind: 'WorkloadEndpoint',
    metadata: { name: 'n', namespace: 'default', labels: {} },
    spec: {
      ports: [
        { name: 'web', protocol: 'TCP', port: 8080, hostPort: 80, hostIP: '' },
        { name: '', protocol: 'TCP', port: 1, hostPort: 5, hostIP: '' },
      ],
    },
  });
  const endpoint = decodeWorkloadEndpoint(text);
  t.same(endpoint.ports, [{ name: 'web', protocol: 'TCP', port: 8080 }]);
  const again = encodeWorkloadEndpoint(endpoint, { uid: 'u', createdAt: new Date(0) }, text);
  t.match(again, '"hostPort":80', 'ports are kept as their user wrote them');
});
