import t from 'tap';
import {
  Address,
  Cidr,
  formatDuration,
  parseCommunity,
  parseDuration,
  parsePeerAddress,
} from '../../../src/model/index.js';
import {
  bgpPeerName,
  checkResource,
  completeResource,
  decodeBgpConfiguration,
  decodeBgpFilter,
  decodeBgpPeer,
  decodeResource,
  encodeResource,
  invalidFields,
  mergeUpdate,
  readManifests,
  type Resource,
} from '../../../src/model/v3/index.js';
import { capturedObject, capturedStore } from '../../fixtures/captured-store.js';
import { createMemoryStore } from '../../fixtures/memory-store.js';
import { cliOn } from '../../fixtures/cli-run.js';

const manifest = (kind: string, name: string, spec: string): string =>
  `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;

function completed(text: string): Resource {
  const [found] = readManifests(text, 'test.yaml');
  if (found === undefined) throw new Error('no manifest');
  return completeResource(found.kind, found.resource);
}

/** What is wrong with the only object of a text; empty when it is accepted. */
function verdict(text: string): string {
  const [found] = readManifests(text, 'test.yaml');
  if (found === undefined) return 'empty';
  const problems = checkResource(found.kind, completed(text));
  return problems.length === 0 ? '' : invalidFields(problems).message;
}

t.test('what calicoctl stored is understood', async (t) => {
  const configuration = capturedStore('a03-bgpconfiguration');
  const stored = (path: string): string => capturedObject(configuration, path);
  t.same(decodeBgpConfiguration(stored('bgpconfigurations/default')), {
    name: 'default',
    logSeverity: 'Info',
    nodeToNodeMesh: true,
    asNumber: 4_194_305,
    bindToNodeAddress: true,
    communities: { 'bgp-large-community': '63400:300:100' },
    prefixAdvertisements: [
      { cidr: Cidr.parse('172.218.4.0/26'), communities: ['bgp-large-community', '63400:120'] },
    ],
    meshMaxRestartSeconds: 60,
    ignoredInterfaces: [],
  });
  t.match(decodeBgpConfiguration(stored('bgpconfigurations/node.node1')), { listenPort: 1790 });

  const peers = capturedStore('a04-bgppeer');
  t.same(decodeBgpPeer(capturedObject(peers, 'bgppeers/options2')), {
    name: 'options2',
    nodeSelector: "rack == 'r1'",
    peer: { address: Address.parse('192.0.2.1') },
    asNumber: 2_147_483_647,
    nextHop: 'keep',
    sourceAddress: 'none',
    maxRestartSeconds: 90,
    allowedLocalAsNumbers: 1,
    ttlSecurity: 1,
    reachableBy: Address.parse('192.0.2.254'),
    filters: [],
    reversePeering: true,
  });
  t.match(decodeBgpPeer(capturedObject(peers, 'bgppeers/per-node')), {
    node: 'node1',
    peer: { port: 1790 },
    asNumber: 65_541,
  });
  t.match(decodeBgpPeer(capturedObject(peers, 'bgppeers/reflectors')), {
    peerSelector: 'has(route-reflector)',
  });
  const filters = capturedStore('a11-other-kinds');
  const filter = decodeBgpFilter(capturedObject(filters, 'bgpfilters/my-filter'));
  t.match(filter.export4, [
    {
      network: { cidr: Cidr.parse('77.0.0.0/16'), match: 'In', min: 24, max: 32 },
      fromPeersOnly: true,
      interface: '*.calico',
      accept: true,
    },
  ]);
  t.match(filter.import4, [{ accept: false, operations: [] }]);
  t.match(filter.export6, [{ network: { match: 'NotEqual' } }]);
});

t.test('a filter that cannot be understood is none, rather than one that lets all pass', (t) => {
  const text = encodeResource(
    completed(manifest('BGPFilter', 'f', '{importV4: [{action: Deny}]}')),
  );
  t.throws(() => decodeBgpFilter(text), { kind: 'corrupt', message: /action.*Deny/ });
  const bad = encodeResource(completed(manifest('BGPPeer', 'p', '{peerIP: nowhere}')));
  t.throws(() => decodeBgpPeer(bad), { message: /cannot be understood/ });
  t.end();
});

t.test('what is refused', async (t) => {
  const cases: [string, string, RegExp][] = [
    [
      'BGPPeer',
      '{node: n, nodeSelector: all(), peerIP: 1.2.3.4}',
      /\(node and nodeSelector cannot both be set\)$/,
    ],
    [
      'BGPPeer',
      '{peerIP: 1.2.3.4, peerSelector: all()}',
      /\(peerIP and peerSelector cannot both be set\)$/,
    ],
    ['BGPPeer', '{peerIP: 1.2.3.400, asNumber: 1}', /PeerIP = '1.2.3.400'/],
    ['BGPPeer', '{peerIP: "1.2.3.4:0"}', /PeerIP/],
    ['BGPPeer', '{peerIP: "fd00::1:179"}', /^$/],
    ['BGPPeer', '{peerIP: 1.2.3.4, asNumber: 4294967296}', /ASNumber = '4294967296'/],
    ['BGPPeer', '{peerSelector: "a ="}', /PeerSelector/],
    ['BGPPeer', '{peerSelector: all(), asNumber: 1}', /asNumber and peerSelector/],
    ['BGPPeer', '{peerIP: 1.2.3.4, reachableBy: "fd00::1"}', /same family/],
    ['BGPPeer', '{peerSelector: all(), reachableBy: 1.2.3.4}', /needs a peerIP/],
    ['BGPPeer', '{peerIP: 1.2.3.4, keepOriginalNextHop: true, nextHopMode: Self}', /both/],
    ['BGPPeer', '{peerIP: 1.2.3.4, ttlSecurity: 256}', /TTLSecurity = '256' \(must be 0 to 255\)/],
    ['BGPPeer', '{peerIP: 1.2.3.4, sourceAddress: Other}', /supported values: "UseNodeIP", "None"/],
    ['BGPPeer', '{peerIP: 1.2.3.4, maxRestartTime: soon}', /MaxRestartTime/],
    ['BGPPeer', '{localWorkloadSelector: all()}', /needs an asNumber/],
    ['BGPPeer', '{peerIP: 1.2.3.4}', /^$/],
    ['BGPConfiguration', '{asNumber: 64512}', /Cannot set ASNumber on a non default/],
    ['BGPConfiguration', '{listenPort: 70000}', /ListenPort = '70000'/],
    ['BGPConfiguration', '{listenPort: 0}', /^$/],
    ['BGPConfiguration', '{logSeverityScreen: loud}', /LogSeverityScreen/],
    ['BGPConfiguration', '{communities: [{name: a, value: "1:2"}]}', /prefixAdvertisements/],
    [
      'BGPConfiguration',
      '{prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: [x]}]}',
      /neither/,
    ],
    ['BGPConfiguration', '{prefixAdvertisements: [{cidr: nowhere}]}', /CIDR = 'nowhere'/],
    ['BGPConfiguration', '{ipv4NormalRoutePriority: 0}', /1 to 2147483646/],
    ['BGPFilter', '{importV4: [{action: Deny}]}', /supported values: "Accept", "Reject"/],
    ['BGPFilter', '{importV4: [{}]}', /must be Accept or Reject/],
    ['BGPFilter', '{importV4: [{action: Accept, cidr: 10.0.0.0/8}]}', /both be set or both/],
    [
      'BGPFilter',
      '{importV4: [{action: Accept, cidr: "fd00::/8", matchOperator: In}]}',
      /IPv4 net/,
    ],
    ['BGPFilter', '{importV4: [{action: Accept, prefixLength: {min: 1}}]}', /cidr is required/],
    ['BGPFilter', `{importV4: [{action: Accept, interface: 'a"b'}]}`, /interface/],
    ['BGPFilter', '{exportV6: [{action: Accept, communities: {values: ["1:99999"]}}]}', /65535/],
    [
      'BGPFilter',
      '{exportV6: [{action: Reject, operations: [{setPriority: {value: 5}}]}]}',
      /only/,
    ],
    ['BGPFilter', '{exportV6: [{action: Accept, operations: [{}]}]}', /exactly one/],
    ['BGPFilter', '{exportV6: [{action: Accept, source: Here}]}', /RemotePeers/],
  ];
  for (const [kind, spec, message] of cases) {
    t.match(verdict(manifest(kind, 'x', spec)), message, `${kind} ${spec}`);
  }
  const off = '{nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: 90s}';
  t.match(
    verdict(manifest('BGPConfiguration', 'default', off)),
    /nodeMeshMaxRestartTime cannot be set when nodeToNodeMeshEnabled is false/,
  );
});

t.test('what is written is as Calico writes it, and what we do not know stays', async (t) => {
  const peer = completed(
    manifest('BGPPeer', 'p', '{peerIP: 1.2.3.4, asNumber: "1.10", keepaliveTime: 90m}'),
  );
  t.same(peer.spec, { peerIP: '1.2.3.4', asNumber: 65_546, keepaliveTime: '1h30m0s' });
  const stored = decodeResource(
    encodeResource({ ...peer, spec: { ...peer.spec, future: { a: 1 } } }),
  );
  const [found] = readManifests(manifest('BGPPeer', 'p', '{peerIP: 1.2.3.5}'), 'f');
  if (found === undefined) return t.fail('no manifest');
  t.same(mergeUpdate(found.kind, stored, found.resource).spec, {
    peerIP: '1.2.3.5',
    future: { a: 1 },
  });
});

t.test('tables are those of calicoctl', async (t) => {
  const cli = cliOn(createMemoryStore());
  const stdin = [
    manifest('BGPPeer', 'false', '{node: node1, peerIP: "192.0.2.2:1790", asNumber: 65002}'),
    manifest('BGPPeer', 'global', '{peerIP: 192.0.2.1, asNumber: 65001}'),
    manifest('BGPPeer', 'sel', `{nodeSelector: "rack == 'r1'", peerSelector: has(rr)}`),
    manifest('BGPConfiguration', 'default', '{nodeToNodeMeshEnabled: true, asNumber: 64999}'),
    manifest('BGPConfiguration', 'node.node1', '{logSeverityScreen: Debug}'),
    manifest('BGPFilter', 'f', '{importV4: [{action: Reject}, {action: Accept}]}'),
  ].join('---\n');
  t.match(await cli('create -f -', { stdin }), { status: 0 });
  t.equal(
    (await cli('get bgppeer')).out,
    `NAME     PEERIP           NODE           ASN     
false    192.0.2.2:1790   node1          65002   
global   192.0.2.1        (global)       65001   
sel                       rack == 'r1'   0       

`,
  );
  t.equal(
    (await cli('get bgpconfig -o wide')).out,
    `NAME         LOGSEVERITY   MESHENABLED   ASNUMBER   
default      Info          true          64999      
node.node1   Debug         -             -          

`,
  );
  t.match((await cli('get bf')).out, /\nf +0 +2 +0 +0 +\n/);
});

t.test('manifests of the first generation', async (t) => {
  const read = (metadata: string): Resource | undefined =>
    readManifests(
      `apiVersion: v1\nkind: bgpPeer\nmetadata: ${metadata}\nspec: {asNumber: 64514}\n`,
      'f',
    )[0]?.resource;
  t.match(read('{scope: node, node: node1, peerIP: 192.0.2.1}'), {
    metadata: { name: 'node1.192-0-2-1' },
    spec: { node: 'node1', peerIP: '192.0.2.1', asNumber: 64_514 },
  });
  t.match(read('{scope: global, peerIP: "fd00::1"}'), {
    metadata: { name: 'fd00-0000-0000-0000-0000-0000-0000-0001' },
  });
  t.throws(() => read('{scope: node, peerIP: 192.0.2.1}'), { message: /global without a node/ });
  t.throws(() => read('{scope: global, peerIP: nowhere}'), { message: /no IP address/ });
  t.equal(bgpPeerName(Address.parse('10.0.0.1')), '10-0-0-1');
});

t.test('addresses with ports, communities, durations', async (t) => {
  const read = (text: string): string => {
    const found = parsePeerAddress(text);
    return found === undefined ? 'none' : `${found.address} ${found.port ?? '-'}`;
  };
  t.equal(read('192.0.2.1'), '192.0.2.1 -');
  t.equal(read('192.0.2.1:1790'), '192.0.2.1 1790');
  t.equal(read('[fd00::1]:179'), 'fd00::1 179');
  t.equal(read('fd00::1'), 'fd00::1 -');
  for (const text of ['', 'x', '192.0.2.1:', '192.0.2.1:65536', '[192.0.2.1]:1', '[fd00::1]']) {
    t.equal(read(text), 'none', text);
  }
  t.same(parseCommunity('64512:100'), [64_512, 100]);
  t.same(parseCommunity('64512:4294967295:0'), [64_512, 4_294_967_295, 0]);
  for (const text of ['1', '65536:1', '1:2:4294967296', 'a:b', '1:2:3:4']) {
    t.equal(parseCommunity(text), undefined, text);
  }
  for (const text of ['0s', '500ms', '1.5s', '1m30s', '1h0m0s', '26h0m1s']) {
    t.equal(formatDuration(parseDuration(text) ?? -1), text);
  }
});
