import t from 'tap';
import { Vteps, vtepOf, type Vtep } from '../../../src/agent/tunnels/index.js';
import { Address, type Node } from '../../../src/model/index.js';

const node = (name: string, more: Partial<Node> = {}): Node => ({ name, labels: {}, ...more });
const end = (address: string, mac: string, host = '192.0.2.9'): Vtep => ({
  address: Address.parse(address),
  mac,
  host: Address.parse(host),
});

t.test('the end of a Node', async (t) => {
  const full = { ipv4Address: '192.0.2.1/24', ipv4VxlanTunnelAddress: '10.1.0.0' };
  const vtep = vtepOf(node('node1', full), 'vxlan4');
  t.same(
    [String(vtep?.address), String(vtep?.host), vtep?.mac],
    ['10.1.0.0', '192.0.2.1', '66:f9:37:c3:7e:94'],
  );
  t.equal(vtepOf(node('node1', { ipv4Address: '192.0.2.1/24' }), 'vxlan4'), undefined);
  t.equal(vtepOf(node('node1', { ipv4VxlanTunnelAddress: '10.1.0.0' }), 'vxlan4'), undefined);
  t.equal(vtepOf(node('node1', full), 'vxlan6'), undefined);
  t.equal(
    vtepOf(node('node1', { ...full, ipv4VxlanTunnelAddress: 'fd00::1' }), 'vxlan4'),
    undefined,
  );
  const published = { ...full, vxlanTunnelMac: '66-AA-BB-CC-DD-EE' };
  t.equal(vtepOf(node('node1', published), 'vxlan4')?.mac, '66:aa:bb:cc:dd:ee');
  const wrong = { ...full, vxlanTunnelMac: 'nonsense' };
  t.equal(vtepOf(node('node1', wrong), 'vxlan4')?.mac, '66:f9:37:c3:7e:94');
});

t.test('two hosts with one address: the first by name counts, whoever came first', async (t) => {
  for (const order of [
    ['a', 'b'],
    ['b', 'a'],
  ]) {
    const vteps = new Vteps();
    for (const name of order) vteps.set(name, end('10.1.0.0', `66:00:00:00:00:0${name}`));
    t.ok(vteps.get('a'));
    t.equal(vteps.get('b'), undefined);
    t.same(vteps.conflicts(), [{ node: 'b', with: 'a', what: 'tunnel address 10.1.0.0' }]);
    vteps.takeChanged();
    vteps.set('a', undefined);
    t.same([...vteps.takeChanged()].sort(), ['a', 'b'], 'the other is looked at again');
    t.ok(vteps.get('b'));
    t.same(vteps.conflicts(), []);
  }
  const macs = new Vteps();
  macs.set('a', end('10.1.0.0', '66:00:00:00:00:01'));
  macs.set('b', end('10.1.0.1', '66:00:00:00:00:01'));
  t.match(macs.conflicts(), [{ node: 'b', what: 'MAC 66:00:00:00:00:01' }]);
});

t.test('only what changed is told', async (t) => {
  const vteps = new Vteps();
  vteps.set('a', end('10.1.0.0', '66:00:00:00:00:01'));
  t.same(vteps.takeChanged(), ['a']);
  vteps.set('a', end('10.1.0.0', '66:00:00:00:00:01'));
  t.same(vteps.takeChanged(), []);
  vteps.set('a', end('10.1.0.0', '66:00:00:00:00:01', '192.0.2.10'));
  t.same(vteps.takeChanged(), ['a']);
});
