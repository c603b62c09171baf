import t from 'tap';
import { Address } from '../../src/model/index.js';
import {
  chooseAddress,
  detectAddress,
  parseAddressSetting,
  parseDetectionMethod,
  type HostView,
} from '../../src/node/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { hostView } from '../fixtures/host-view.js';

const host = hostView([
  { name: 'lo', addresses: ['127.0.0.1/8', '::1/128'] },
  { name: 'docker0', addresses: ['172.17.0.1/16'] },
  { name: 'eth1', addresses: ['198.51.100.7/24', 'fe80::1/64'] },
  {
    name: 'eth0',
    addresses: ['169.254.9.9/16', '192.0.2.10/24', '2001:db8::10/64'],
    defaultRoute: 100,
  },
  { name: 'cali1234567890a', addresses: ['203.0.113.1/32'] },
  { name: 'eth2', addresses: ['10.9.9.9/8'], down: true },
]);

function found(view: HostView, method: string, family: 4 | 6 = 4, source?: string): string {
  const result = detectAddress(
    parseDetectionMethod(method, 'IP_AUTODETECTION_METHOD'),
    family,
    view,
    source === undefined ? undefined : Address.parse(source),
  );
  return result.ok
    ? `${result.found.interfaceName} ${result.found.address}/${result.found.prefix}`
    : result.reason;
}

t.test(
  'first-found takes the interface of the default route, and no link-local address',
  async (t) => {
    t.equal(found(host, ''), 'eth0 192.0.2.10/24');
    t.equal(found(host, 'first-found', 6), 'eth0 2001:db8::10/64');
  },
);

t.test('without a default route the oldest interface wins', async (t) => {
  const view = hostView([
    { name: 'lo', addresses: ['127.0.0.1/8'] },
    { name: 'ens3', addresses: ['192.0.2.1/24'] },
    { name: 'ens4', addresses: ['198.51.100.1/24'] },
  ]);
  t.equal(found(view, 'first-found'), 'ens3 192.0.2.1/24');
});

t.test('the default route with the lower metric wins', async (t) => {
  const view = hostView([
    { name: 'wlan0', addresses: ['192.0.2.1/24'], defaultRoute: 600 },
    { name: 'eth0', addresses: ['198.51.100.1/24'], defaultRoute: 100 },
  ]);
  t.equal(found(view, 'first-found'), 'eth0 198.51.100.1/24');
});

t.test('interfaces of other programs are never chosen by themselves', async (t) => {
  for (const name of [
    'docker0',
    'br-0123456789ab',
    'cali0',
    'veth12',
    'tunl0',
    'vxlan.calico',
    'kube-ipvs0',
    'virbr0',
    'cni0',
    'flannel.1',
  ]) {
    const view = hostView([{ name, addresses: ['192.0.2.1/24'], defaultRoute: 0 }]);
    t.equal(found(view, 'first-found'), 'no-address', name);
  }
  t.equal(
    found(hostView([{ name: 'lowlat0', addresses: ['192.0.2.1/24'] }]), ''),
    'lowlat0 192.0.2.1/24',
  );
});

t.test('interface= is a search over alternatives, in preference order of the host', async (t) => {
  t.equal(found(host, 'interface=eth1'), 'eth1 198.51.100.7/24');
  t.equal(found(host, 'interface=eth1,eth0'), 'eth0 192.0.2.10/24');
  t.equal(found(host, 'interface=th[1]'), 'eth1 198.51.100.7/24');
  t.equal(
    found(host, 'interface=docker0'),
    'docker0 172.17.0.1/16',
    'a name given by hand is taken',
  );
  t.equal(found(host, 'interface=ens9'), 'no-matching-interface');
  t.equal(
    found(host, 'interface=eth2'),
    'no-address',
    'a link that is down has no address for others',
  );
});

t.test('skip-interface, cidr and can-reach', async (t) => {
  t.equal(found(host, 'skip-interface=eth0'), 'eth1 198.51.100.7/24');
  t.equal(
    found(host, 'cidr=203.0.113.0/24, 198.51.100.0/24'),
    'eth1 198.51.100.7/24',
    'cali* is never the host',
  );
  t.equal(found(host, 'cidr=203.0.113.0/24'), 'no-address');
  t.equal(found(host, 'can-reach=example.com', 4, '198.51.100.7'), 'eth1 198.51.100.7/24');
  t.equal(found(host, 'can-reach=example.com'), 'no-route');
  t.equal(
    found(host, 'can-reach=example.com', 4, '127.0.0.1'),
    'no-route',
    'loopback reaches nobody else',
  );
});

t.test('a bad setting names its variable, what was found, and what may stand there', async (t) => {
  for (const text of ['fastest', 'interface=', 'can-reach', 'cidr=10.0.0.0', 'interface=(']) {
    t.match(
      await faultOf(() => parseDetectionMethod(text, 'IP_AUTODETECTION_METHOD')),
      { kind: 'invalid' },
      text,
    );
  }
  t.match(await faultOf(() => parseDetectionMethod('fastest', 'IP6_AUTODETECTION_METHOD')), {
    message: /IP6_AUTODETECTION_METHOD is "fastest"; use first-found/,
  });
  t.match(await faultOf(() => parseAddressSetting('eth0', 4, 'IP')), {
    message: /IP is "eth0"; use an IPv4 address/,
  });
  t.match(await faultOf(() => parseAddressSetting('2001:db8::1', 4, 'IP')), { kind: 'invalid' });
  t.match(await faultOf(() => parseAddressSetting('127.0.0.1', 4, 'IP')), { kind: 'invalid' });
});

function chosen(setting: string, current?: string, family: 4 | 6 = 4, view = host): string {
  const result = chooseAddress({
    family,
    setting: parseAddressSetting(setting, family, family === 4 ? 'IP' : 'IP6'),
    method: { kind: 'first-found' },
    view,
    ...(current === undefined ? {} : { current }),
  });
  return [result.origin, result.text, result.warning?.reason]
    .filter((part) => part !== undefined)
    .join(' ');
}

t.test('IP and IP6 as Calico reads them', async (t) => {
  t.equal(chosen(''), 'detected 192.0.2.10/24');
  t.equal(chosen('', '198.51.100.7/24'), 'kept 198.51.100.7/24');
  t.equal(chosen('', '10.1.1.1/24'), 'kept 10.1.1.1/24 address-not-on-host');
  t.equal(chosen('autodetect', '198.51.100.7/24'), 'detected 192.0.2.10/24');
  t.equal(chosen('none', '198.51.100.7/24'), 'none');
  t.equal(chosen('192.0.2.10'), 'set 192.0.2.10/24', 'the length comes from the interface');
  t.equal(chosen('192.0.2.99'), 'set 192.0.2.99/32');
  t.equal(chosen('192.0.2.10/16'), 'set 192.0.2.10/16');
  t.equal(chosen('', undefined, 6), 'none', 'an unset IP6 means none is looked for');
  t.equal(chosen('autodetect', undefined, 6), 'detected 2001:db8::10/64');
});

t.test('a failed detection keeps an old address and never clears one', async (t) => {
  const bare = hostView([{ name: 'lo', addresses: ['127.0.0.1/8'] }]);
  t.equal(chosen('autodetect', '192.0.2.10/24', 4, bare), 'kept 192.0.2.10/24 address-not-on-host');
  t.equal(chosen('', undefined, 4, bare), 'none no-address');
  const hidden = hostView([{ name: 'docker0', addresses: ['192.0.2.10/24'] }]);
  t.equal(chosen('autodetect', '192.0.2.10/24', 4, hidden), 'kept 192.0.2.10/24 address-kept');
});
