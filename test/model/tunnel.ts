import t from 'tap';
import {
  Cidr,
  encapsulationOf,
  tunnelsInUse,
  vxlanMac,
  type IpPool,
} from '../../src/model/index.js';
import { decodeIpPool } from '../../src/model/v3/index.js';
import { poolText } from '../fixtures/stored-objects.js';

const pool = (cidr: string, spec: object): IpPool => decodeIpPool(poolText('p', cidr, { ...spec }));

t.test('the MAC of a VXLAN device is the one that Calico derives', async (t) => {
  // Vectors measured with Felix (node-agent §3.4, peers-measured §3).
  t.equal(vxlanMac('node1', 4), '66:f9:37:c3:7e:94');
  t.equal(vxlanMac('node1', 6), '66:0f:35:f2:60:df');
  t.equal(vxlanMac('docker-host-1', 4), '66:b6:04:44:89:45');
  t.equal(vxlanMac('docker-host-1', 6), '66:fc:5f:13:b5:2e');
  t.equal(vxlanMac('node2', 4), '66:2d:bf:44:a6:8b');
});

t.test('a pool says which tunnel its blocks need', async (t) => {
  t.same(encapsulationOf(pool('10.1.0.0/16', { vxlanMode: 'Always' })), {
    kind: 'vxlan4',
    mode: 'Always',
  });
  t.same(encapsulationOf(pool('fd00::/48', { vxlanMode: 'CrossSubnet' })), {
    kind: 'vxlan6',
    mode: 'CrossSubnet',
  });
  t.same(encapsulationOf(pool('10.1.0.0/16', { ipipMode: 'Always' })), {
    kind: 'ipip',
    mode: 'Always',
  });
  t.equal(encapsulationOf(pool('10.1.0.0/16', {})), undefined);
  const v6 = { cidr: Cidr.parse('fd00::/48'), vxlanMode: 'Never', ipipMode: 'Always' } as const;
  t.equal(encapsulationOf(v6), undefined, 'IPIP carries no IPv6');
  const all = [
    pool('10.1.0.0/16', { vxlanMode: 'Always', disabled: true }),
    pool('10.2.0.0/16', {}),
  ];
  t.same([...tunnelsInUse(all)], ['vxlan4'], 'disabled pools count');
});
