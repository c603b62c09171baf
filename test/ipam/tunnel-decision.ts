import t from 'tap';
import { admitsTunnel, decideTunnel, tunnelOwner } from '../../src/ipam/tunnel-decision.js';
import { Address, type BlockAttribute, type IpPool, type Node } from '../../src/model/index.js';
import { blockAttribute, decodeIpPool } from '../../src/model/v3/index.js';
import { poolText } from '../fixtures/stored-objects.js';

const pool = (spec: object): IpPool => decodeIpPool(poolText('p', '10.1.0.0/24', { ...spec }));
const NODE: Node = { name: 'node1', labels: { rack: 'r1' } };
const OWNER = tunnelOwner('vxlan4', 'node1');
const VXLAN = pool({ vxlanMode: 'Always' });
const at = (text: string): Address => Address.parse(text);
const own = blockAttribute(OWNER.handle, OWNER.secondary);
const unmarked: BlockAttribute = { handle: undefined, secondary: {}, text: '{}' };

t.test('handles and attributes are those of Calico', async (t) => {
  t.same(OWNER, {
    handle: 'vxlan-tunnel-addr-node1',
    secondary: { node: 'node1', type: 'vxlanTunnelAddress' },
  });
  t.equal(tunnelOwner('ipip', 'n').handle, 'ipip-tunnel-addr-n');
  t.equal(tunnelOwner('vxlan6', 'n').handle, 'vxlan-v6-tunnel-addr-n');
  t.equal(tunnelOwner('vxlan6', 'n').secondary['type'], 'vxlanV6TunnelAddress');
});

t.test('pools that may serve', async (t) => {
  t.ok(admitsTunnel('vxlan4', VXLAN, NODE));
  t.notOk(admitsTunnel('ipip', VXLAN, NODE));
  const refused: readonly object[] = [
    { disabled: true },
    { allowedUses: ['Workload'] },
    { nodeSelector: "rack == 'r2'" },
    { assignmentMode: 'Manual' },
  ];
  for (const spec of refused) {
    const other = pool({ vxlanMode: 'Always', ...spec });
    t.notOk(admitsTunnel('vxlan4', other, NODE), JSON.stringify(spec));
  }
});

t.test('what is found, and what is done about it', async (t) => {
  const base = { owner: OWNER, pools: [VXLAN], stored: undefined, holder: undefined, held: [] };
  const A = at('10.1.0.5');
  const cases: readonly (readonly [string, Parameters<typeof decideTunnel>[0], object])[] = [
    ['all is well', { ...base, stored: A, holder: own, held: [A] }, { action: 'keep' }],
    ['nothing yet', base, { action: 'assign', release: false }],
    ['no pool, nothing there', { ...base, pools: [] }, { action: 'keep' }],
    [
      'the pools are gone',
      { ...base, pools: [], stored: A, holder: own, held: [A] },
      { action: 'clear', release: true },
    ],
    [
      'a Node that lost its blocks',
      { ...base, pools: [], stored: A },
      { action: 'clear', release: false },
    ],
    [
      'in no pool that may serve',
      { ...base, stored: at('10.9.0.5'), holder: own, held: [at('10.9.0.5')] },
      { action: 'assign', release: true },
    ],
    ['not taken in IPAM', { ...base, stored: A }, { action: 'assign', release: false }],
    [
      "a container's",
      { ...base, stored: A, holder: blockAttribute('docker.node2.x', { node: 'node2' }) },
      { action: 'assign', release: false },
    ],
    [
      "nobody's name on it: a container of an old plugin has such ones",
      { ...base, stored: A, holder: unmarked },
      { action: 'assign', release: false },
    ],
    [
      'a Node made anew finds its address again',
      { ...base, held: [A] },
      { action: 'adopt', address: A },
    ],
    [
      'more than one is one too many',
      { ...base, held: [A, at('10.1.0.6')] },
      { action: 'assign', release: true },
    ],
  ];
  for (const [name, facts, expected] of cases) t.same(decideTunnel(facts), expected, name);
});
