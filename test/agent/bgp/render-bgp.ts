import t from 'tap';
import { renderBgp, type BgpFacts } from '../../../src/agent/bgp/index.js';
import { bgpCases } from '../../fixtures/bgp-cases.js';
import { bgpFacts, bgpSettings, capturedBgpFacts, v3 } from '../../fixtures/bgp-facts.js';

for (const { name, facts, settings } of bgpCases) {
  t.test(`golden: ${name}`, async (t) => {
    const rendered = renderBgp(facts, settings);
    t.matchSnapshot(rendered?.text ?? '', 'configuration');
    t.matchSnapshot(
      (rendered?.notes ?? []).map((note) => Object.values(note).join(' | ')).join('\n'),
      'notes',
    );
  });

  t.test(`the order of objects is nothing: ${name}`, async (t) => {
    const expected = renderBgp(facts, settings);
    for (let round = 0; round < 20; round += 1) {
      t.same(renderBgp(shuffled(facts, round), settings), expected, `round ${round}`);
    }
  });
}

/** A small generator, so that a failing order can be made again. */
function shuffled(facts: BgpFacts, seed: number): BgpFacts {
  let state = seed * 2_654_435_761 + 1;
  const next = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31);
  const mixed = <T>(items: Iterable<T>): T[] =>
    [...items]
      .map((item) => ({ item, at: next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  return {
    ...facts,
    nodes: mixed(facts.nodes),
    configurations: mixed(facts.configurations),
    peers: mixed(facts.peers),
    filters: mixed(facts.filters),
    pools: mixed(facts.pools),
    blocks: mixed(facts.blocks),
  };
}

const names = (facts: BgpFacts): string[] =>
  (renderBgp(facts, bgpSettings)?.sessions ?? []).map(
    ({ name, passive }) => `${name}${passive ? ' passive' : ''}`,
  );

t.test('sessions are those of Calico’s own generator', async (t) => {
  t.same(names(capturedBgpFacts('mesh')), [
    'Mesh_172_16_60_216 passive',
    'Mesh_172_16_61_9 passive',
    'Mesh_fd00_60__216 passive',
  ]);
  const explicit = ['Node_172_16_60_2_port_1790', 'Node_172_16_61_9_port_179'];
  t.same(names(capturedBgpFacts('peers-no-mesh')), ['Global_172_16_60_1', ...explicit]);
  // Calico has two sessions with 172.16.61.9 here, of which one stays down.
  t.same(names(capturedBgpFacts('peers-and-mesh')), [
    'Global_172_16_60_1',
    'Mesh_172_16_60_216 passive',
    'Mesh_fd00_60__216 passive',
    ...explicit,
  ]);
  t.same(names(capturedBgpFacts('mesh', { nodeName: 'node2' })), [
    'Mesh_172_16_60_215',
    'Mesh_172_16_61_9 passive',
    'Mesh_fd00_60__215',
  ]);
});

const three = ['1', '2', '3']
  .map((index) =>
    v3('Node', `node${index}`, `{bgp: {ipv4Address: 10.0.0.${index}/24}}`, `{at: n${index}}`),
  )
  .join('');

t.test('a session is wanted by both ends, though one object says so', async (t) => {
  const off = v3('BGPConfiguration', 'default', '{nodeToNodeMeshEnabled: false}');
  const peer = v3('BGPPeer', 'to-3', `{nodeSelector: "at == 'n1'", peerSelector: "at == 'n3'"}`);
  const at = (nodeName: string, yaml: string): string[] => names(bgpFacts(yaml, { nodeName }));
  t.same(at('node1', three + off + peer), ['Node_10_0_0_3_port_179']);
  t.same(at('node2', three + off + peer), []);
  t.same(at('node3', three + off + peer), ['Node_10_0_0_1_port_179'], 'generated');
  const manual = peer.replace('{nodeSelector', '{reversePeering: Manual, nodeSelector');
  t.same(at('node3', three + off + manual), [], 'unless it must not be');
  const address = v3('BGPPeer', 'by-address', '{peerIP: 10.0.0.3, asNumber: 64512}');
  t.same(at('node1', three + off + address), ['Global_10_0_0_3']);
  t.same(
    at('node3', three + off + address),
    ['Global_10_0_0_1_port_179', 'Global_10_0_0_2_port_179'],
    'also when the other end is named by its address',
  );
});

t.test('of several wishes for one neighbour the strongest is had', async (t) => {
  const byNode = v3(
    'BGPPeer',
    'a-node',
    '{node: node1, peerIP: 10.0.0.3, asNumber: 64512, keepaliveTime: 5s}',
  );
  const global = v3(
    'BGPPeer',
    'z-global',
    '{peerIP: 10.0.0.3, asNumber: 64512, keepaliveTime: 9s}',
  );
  const sessions = (yaml: string) => renderBgp(bgpFacts(yaml), bgpSettings)?.sessions ?? [];
  t.match(sessions(three + byNode), [
    { name: 'Mesh_10_0_0_2' },
    { name: 'Node_10_0_0_3', keepaliveSeconds: 5 },
  ]);
  t.match(sessions(three + byNode + global), [
    { name: 'Global_10_0_0_3', keepaliveSeconds: 9 },
    { name: 'Mesh_10_0_0_2' },
  ]);
});

t.test('nothing from the datastore leaves its place in the text', async (t) => {
  const evil = 'x"; } protocol static evil { ipv4; route 0.0.0.0/0 blackhole; } #';
  const facts = bgpFacts(three, {
    configurations: [
      {
        name: 'default',
        bindToNodeAddress: false,
        communities: { [evil]: evil },
        prefixAdvertisements: [],
        ignoredInterfaces: [evil],
        logSeverity: evil,
        listenPort: 99_999,
      },
    ],
    nodes: [
      { name: 'node1', labels: {}, ipv4Address: '10.0.0.1/24', routeReflectorClusterId: evil },
      { name: 'node2', labels: {}, ipv4Address: evil },
      { name: 'node3', labels: {}, ipv4Address: '10.0.0.3/24' },
    ],
    filters: [
      {
        name: evil,
        export4: [
          {
            fromPeersOnly: false,
            asPathPrefix: [],
            operations: [],
            accept: true,
            interface: evil,
            community: evil,
          },
        ],
        import4: [],
        export6: [],
        import6: [],
      },
    ],
    peers: [
      {
        name: evil,
        peerSelector: 'all()',
        nextHop: 'auto',
        sourceAddress: 'node',
        filters: [evil],
        reversePeering: true,
      },
    ],
  });
  const text = renderBgp(facts, { ...bgpSettings, routerId: evil })?.text ?? '';
  t.notMatch(text, 'evil {');
  t.match(text, 'Global_10_0_0_3');
});

t.test('without an own node or address there is nothing to say', async (t) => {
  t.equal(renderBgp(bgpFacts(three, { nodeName: 'other' }), bgpSettings), undefined);
  t.equal(renderBgp(bgpFacts(v3('Node', 'node1', '{}')), bgpSettings), undefined);
});

t.test('what an operator should know', async (t) => {
  const reasons = (yaml: string, nodeName = 'node1'): string[] =>
    (renderBgp(bgpFacts(yaml, { nodeName }), bgpSettings)?.notes ?? []).map(
      ({ reason, subject }) => `${reason} ${subject}`,
    );
  const many = (length: number): string =>
    Array.from({ length }, (_, index) =>
      v3('Node', `node${index}`, `{bgp: {ipv4Address: 10.0.1.${index}/24}}`),
    ).join('');
  t.same(reasons(many(101)), ['bgp-mesh-large node1']);
  t.same(reasons(many(100)), []);
  const twice = three + v3('Node', 'node4', '{bgp: {ipv4Address: 10.0.0.3/24}}');
  t.same(reasons(twice), ['bgp-address-shared 10.0.0.3']);
  t.same(reasons(twice, 'node4'), ['bgp-address-shared 10.0.0.3'], 'also when it is our own');
  const reflectors = ['1', '2']
    .map((index) =>
      v3(
        'Node',
        `rr${index}`,
        `{bgp: {ipv4Address: 10.0.2.${index}/24, routeReflectorClusterID: 1.0.0.${index}}}`,
        '{rr: x}',
      ),
    )
    .join('');
  const peer = v3('BGPPeer', 'rr', '{nodeSelector: all(), peerSelector: has(rr)}');
  t.same(reasons(three + reflectors + peer), ['bgp-cluster-ids-differ node1']);
  t.same(reasons(three + reflectors + peer, 'rr1'), [], 'reflectors may differ among themselves');
});
