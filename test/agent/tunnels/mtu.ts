import t from 'tap';
import { hostMtu, tunnelMtu, workloadMtu } from '../../../src/agent/tunnels/index.js';
import type { Link } from '../../../src/netlink/index.js';

const link = (name: string, mtu: number, up = true, index = mtu): Link => ({
  ...{ index, name, kind: '', mac: '', mtu, up, running: up, group: 0 },
});

t.test('the MTU of what leads to other hosts', async (t) => {
  t.equal(hostMtu([link('lo', 65_536), link('eth0', 1500), link('eth1', 9000)], []), 1500);
  t.equal(hostMtu([link('eth0', 1400, false), link('ens3', 1500)], []), 1500, 'only what is up');
  t.equal(hostMtu([link('docker0', 1300), link('cali1', 1200), link('enp1s0', 9000)], []), 9000);
  t.equal(hostMtu([link('bond0', 1460, true, 7)], [7]), 1460, "the Node's own interface");
  t.equal(hostMtu([link('bond0', 1460)], []), undefined);
  t.equal(hostMtu([link('eth0', 1500), link('uplink', 1400)], [], '^uplink$'), 1400);
  t.equal(hostMtu([link('eth0', 1500)], [], '('), 1500, 'a pattern that is none');
});

t.test('overheads, and what is configured', async (t) => {
  t.equal(tunnelMtu('vxlan4', 1500, {}), 1450);
  t.equal(tunnelMtu('vxlan6', 1500, {}), 1430);
  t.equal(tunnelMtu('ipip', 1500, {}), 1480);
  t.equal(tunnelMtu('vxlan4', 1500, { vxlanMtu: 1400 }), 1400);
  t.equal(tunnelMtu('vxlan4', 1500, { vxlanMtu: 0 }), 1450, '0 means found out');
  t.equal(workloadMtu([], 1500, {}), 1500);
  t.equal(workloadMtu(['ipip'], 1500, {}), 1480);
  t.equal(workloadMtu(['ipip', 'vxlan6', 'vxlan4'], 1500, {}), 1430);
  t.equal(workloadMtu(['vxlan4'], 9000, { vxlanMtu: 1450 }), 1450);
  t.equal(workloadMtu(['vxlan4'], undefined, {}), undefined);
});
