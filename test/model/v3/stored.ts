import t from 'tap';
import { Address, Cidr, type WorkloadEndpoint } from '../../../src/model/index.js';
import {
  completeClusterInformation,
  decodeClusterInformation,
  decodeIpPool,
  decodeIpReservation,
  decodeNode,
  decodeProfile,
  decodeResource,
  decodeWorkloadEndpoint,
  encodeIpPool,
  encodeNode,
  encodeProfile,
  encodeResource,
  encodeWorkloadEndpoint,
  initialObjects,
  networkProfile,
  updateNode,
} from '../../../src/model/v3/index.js';
import { faultOf } from '../../fixtures/fault-of.js';
import { capturedObject, capturedStore } from '../../fixtures/captured-store.js';

const scenarios = [
  'a01-node',
  'a02-ippool',
  'a03-bgpconfiguration',
  'a04-bgppeer',
  'a05-profile',
  'a08-workloadendpoint',
  'a11-other-kinds',
  'c04-node-startup',
  'd01-docker-lifecycle-with-subnet',
];

t.test('every object that real programs stored is written again byte for byte', async (t) => {
  for (const scenario of scenarios) {
    const entries = Object.entries(capturedStore(scenario).raw_after);
    for (const [key, value] of entries.filter(([key]) => key.includes('/resources/v3/'))) {
      t.equal(encodeResource(decodeResource(value)), value, `${scenario} ${key}`);
    }
  }
});

const identityOf = (value: string): { uid: string; createdAt: Date } => {
  const { metadata } = decodeResource(value);
  return { uid: metadata.uid ?? '', createdAt: new Date(String(metadata.creationTimestamp)) };
};

t.test('what we write new is what calicoctl writes', async (t) => {
  const pools = capturedStore('a02-ippool');
  const minimal = capturedObject(pools, 'ippools/minimal');
  const cidr = Cidr.parse('10.20.0.0/16');
  t.equal(encodeIpPool({ name: 'minimal', cidr }, identityOf(minimal)), minimal);

  const endpoints = capturedStore('a08-workloadendpoint');
  const path = 'workloadendpoints/libnetwork/host--a-libnetwork-libnetwork-b1f2c3';
  const stored = capturedObject(endpoints, path).replace('EE:EE:EE', 'ee:ee:ee');
  const endpoint = decodeWorkloadEndpoint(stored);
  t.equal(encodeWorkloadEndpoint(endpoint, identityOf(stored)), stored);

  const cluster = capturedObject(pools, 'clusterinformations/default');
  const guid = decodeClusterInformation(cluster).clusterGuid ?? '';
  let calls = 0;
  const [information, tier] = initialObjects(
    () => (calls++ === 0 ? guid : 'uid'),
    identityOf(cluster).createdAt,
  );
  const anyUid = (text: string): string => text.replace(/"uid":"[^"]*"/, '"uid":"…"');
  t.equal(anyUid(information?.value ?? ''), anyUid(cluster));
  t.equal(anyUid(tier?.value ?? ''), anyUid(capturedObject(pools, 'tiers/default')));
  t.equal(completeClusterInformation(cluster, 'other'), undefined, 'complete already');
});

t.test('pools of old writers get the defaults that Calico gives them', async (t) => {
  const old = capturedObject(capturedStore('b04-tolerance'), 'ippools/old');
  t.match(decodeIpPool(old), {
    name: 'old',
    blockSize: 26,
    ipipMode: 'Always',
    vxlanMode: 'Never',
    natOutgoing: false,
    closed: false,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
    assignmentMode: 'Automatic',
  });
  t.equal(decodeIpPool(old).cidr.toString(), '10.9.0.0/16');
  const again = encodeResource(decodeResource(old));
  t.match(again, '"futureField":{"a":1}');
  t.match(again, '"futureTop":1');
  const broken = capturedObject(capturedStore('b04-tolerance'), 'ippools/broken');
  t.match(await faultOf(() => decodeIpPool(broken, 'ippools/broken')), { kind: 'corrupt' });
});

t.test('a pool is closed when disabled, being deleted or not allocatable', async (t) => {
  const pool = (spec: object, more: object = {}, metadata: object = {}): string =>
    JSON.stringify({ kind: 'IPPool', metadata: { name: 'p', ...metadata }, spec, ...more });
  const cidr = '10.0.0.0/24';
  const conditions = [{ type: 'Allocatable', status: 'False', reason: 'CIDROverlap' }];
  t.equal(decodeIpPool(pool({ cidr })).closed, false);
  t.equal(decodeIpPool(pool({ cidr, disabled: true })).closed, true);
  t.equal(decodeIpPool(pool({ cidr }, { status: { conditions } })).closed, true);
  t.equal(
    decodeIpPool(pool({ cidr }, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })).closed,
    true,
  );
  t.throws(() => decodeIpPool(pool({ cidr: 'banana' })), {
    kind: 'corrupt',
    message: /IPPool\(p\)/,
  });
});

t.test('reservations, profiles and nodes', async (t) => {
  const reservation = decodeIpReservation(
    '{"kind":"IPReservation","metadata":{"name":"r"},"spec":{"reservedCIDRs":["10.0.0.0/30","10.0.1.1"]}}',
  );
  t.same(reservation.cidrs.map(String), ['10.0.0.0/30', '10.0.1.1/32']);

  const docker = capturedStore('d01-docker-lifecycle-with-subnet');
  const profile = decodeProfile(capturedObject(docker, 'profiles/pool1'));
  t.same(profile, {
    name: 'pool1',
    ingress: [{ action: 'Allow', source: { selector: 'has(pool1)' } }],
    egress: [{ action: 'Allow' }],
    labelsToApply: {},
  });
  const identity = { uid: 'u', createdAt: new Date('2026-01-01T00:00:00.9Z') };
  t.equal(
    encodeProfile(networkProfile('net1'), identity),
    '{"kind":"Profile","apiVersion":"projectcalico.org/v3","metadata":{"name":"net1","uid":"u","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"ingress":[{"action":"Allow","source":{"selector":"has(net1)"}}],"egress":[{"action":"Allow"}],"labelsToApply":{"net1":""}}}',
  );
  t.match(
    await faultOf(() =>
      decodeProfile('{"kind":"Profile","metadata":{"name":"p"},"spec":{"ingress":[{}]}}'),
    ),
    { kind: 'corrupt' },
  );

  const node = capturedObject(capturedStore('a01-node'), 'nodes/node1');
  t.match(decodeNode(node), {
    name: 'node1',
    labels: { rack: 'r1' },
    asNumber: 64513,
    ipv4Address: '172.16.60.215/24',
    ipv4IpipTunnelAddress: '10.20.3.64',
    ipv6VxlanTunnelAddress: 'fd00:20::66',
    routeReflectorClusterId: '244.0.0.1',
  });
  const dotted = node.replace('64513', '"1.10"');
  t.equal(decodeNode(dotted).asNumber, 65546);
});

t.test('a changed node keeps what it had, and never an empty bgp', async (t) => {
  const identity = { uid: 'u', createdAt: new Date('2026-01-01T00:00:00Z') };
  const made = encodeNode('n1', { ipv4Address: '192.0.2.1/24', labels: { a: 'b' } }, identity);
  t.equal(
    made,
    '{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"n1","uid":"u","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"a":"b"}},"spec":{"bgp":{"ipv4Address":"192.0.2.1/24"}},"status":{}}',
  );
  const strange = made
    .replace('"spec":{', '"spec":{"future":12345678901234567890,')
    .replace('"status":{}', '"status":{"wireguardPublicKey":"k"}');
  const changed = updateNode(strange, {
    ipv4Address: null,
    ipv4VxlanTunnelAddress: '10.0.0.1',
    labels: { a: null, c: 'd' },
  });
  t.match(changed, '"spec":{"ipv4VXLANTunnelAddr":"10.0.0.1","future":12345678901234567890}');
  t.match(changed, '"status":{"wireguardPublicKey":"k"}');
  t.match(changed, '"labels":{"c":"d"}');
  t.equal(updateNode(made, {}), made, 'no change, same text');
});

t.test('an endpoint is rewritten without losing what others put in', async (t) => {
  const endpoint: WorkloadEndpoint = {
    namespace: 'default',
    name: 'n1-libnetwork-libnetwork-e1',
    node: 'n1',
    orchestrator: 'libnetwork',
    workload: 'libnetwork',
    endpoint: 'e1',
    containerId: '',
    interfaceName: 'calie1',
    mac: '02:AA:bb:00:00:01',
    addresses: [Address.parse('10.0.0.1'), Address.parse('fd00::1')],
    profiles: ['net1'],
    labels: { 'a<b': '' },
    ports: [],
    allowSpoofedSourcePrefixes: [],
  };
  const identity = { uid: 'u', createdAt: new Date('2026-01-01T00:00:00Z') };
  const made = encodeWorkloadEndpoint(endpoint, identity);
  t.match(made, '"ipNetworks":["10.0.0.1/32","fd00::1/128"]');
  t.match(made, '"mac":"02:aa:bb:00:00:01"');
  t.match(
    made,
    '"labels":{"a\\u003cb":"","projectcalico.org/namespace":"default","projectcalico.org/orchestrator":"libnetwork"}',
  );
  const foreign = made.replace('"profiles"', '"qosControls":{"dscp":46},"profiles"');
  const { labels, ...rest } = decodeWorkloadEndpoint(foreign);
  const later = { uid: 'v', createdAt: new Date('2027-01-01T00:00:00Z') };
  const again = encodeWorkloadEndpoint({ ...rest, labels, profiles: [] }, later, foreign);
  t.match(again, '"qosControls":{"dscp":46}');
  t.match(again, '"uid":"u"', 'identity stays');
  t.notMatch(again, 'profiles');
  t.match(await faultOf(() => decodeWorkloadEndpoint(made.replace('10.0.0.1/32', '10.0.0.0/24'))), {
    kind: 'corrupt',
  });
});
