import t, { type Test } from 'tap';
import { silentLog } from '../../../src/base/log.js';
import { Address } from '../../../src/model/index.js';
import { createKernelNetlink, type Netlink } from '../../../src/netlink/index.js';
import { faultOf } from '../../fixtures/fault-of.js';
import { makePair, netlinkContract, type Outside } from '../../fixtures/netlink-contract.js';
import { createNetworkNamespace } from '../../fixtures/network-namespace.js';
import { inPrivateNamespace, run } from '../../fixtures/private-namespace.js';

const outside: Outside = {
  removeLink: (name) => void run('ip', 'link', 'delete', name),
  removeRoute: (destination) => void run('ip', 'route', 'delete', destination),
};

function openNetlink(t: Test): Netlink {
  const netlink = createKernelNetlink({ log: silentLog });
  t.teardown(() => netlink.close());
  return netlink;
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('the contract', async (t) => {
    netlinkContract(t, () => ({ netlink: createKernelNetlink({ log: silentLog }), outside }));
  });

  t.test('a pair has one queue on each end', async (t) => {
    const pair = await makePair(t, openNetlink(t));
    for (const name of [pair.name, pair.peer]) {
      t.match(run('ip', '-d', 'link', 'show', name), /numtxqueues 1 .*numrxqueues 1 /);
    }
  });

  t.test('a default route and a route through a gateway are read', async (t) => {
    const netlink = openNetlink(t);
    run('ip', 'link', 'add', 'up0', 'up', 'type', 'veth', 'peer', 'name', 'up1');
    t.teardown(() => run('ip', 'link', 'del', 'up0'));
    run('ip', 'link', 'set', 'up1', 'up');
    run('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'up0');
    run('ip', 'route', 'add', 'default', 'via', '192.0.2.254', 'metric', '7');
    run('ip', 'route', 'add', '10.9.0.0/16', 'via', '192.0.2.253', 'table', '77');
    run('ip', 'route', 'add', '10.8.0.0/16', 'via', 'inet6', 'fe80::1', 'dev', 'up0');
    const index = (await netlink.linkByName('up0'))?.index ?? 0;
    const routes = await netlink.routes(4);
    const text = routes.map(
      (route) => `${route.destination} ${route.gateway ?? '-'} ${route.metric ?? 0}`,
    );
    t.ok(text.includes('0.0.0.0/0 192.0.2.254 7'));
    t.ok(text.includes('10.8.0.0/16 fe80::1 0'), 'an IPv6 gateway of an IPv4 route');
    t.notOk(
      text.some((line) => line.startsWith('10.9.')),
      'another table is no business of ours',
    );
    const gatewayed = routes.find((route) => route.destination.prefix === 0);
    t.match(gatewayed, { interfaceIndex: index, scope: 'universe', type: 'unicast', protocol: 3 });
    for (const route of routes.filter((r) => r.gateway !== undefined)) {
      await netlink.deleteRoute(route);
      await netlink.replaceRoute(route);
    }
    t.strictSame(await netlink.routes(4), routes, 'what was read can be written again');
    const far = { ...gatewayed, gateway: Address.parse('203.0.113.1') };
    t.match(await faultOf(netlink.replaceRoute({ ...routes[0]!, ...far })), {
      kind: 'unavailable',
      reason: 'gateway-unreachable',
    });
  });

  t.test('a neighbour is permanent', async (t) => {
    const netlink = openNetlink(t);
    const pair = await makePair(t, netlink);
    const entry = { index: pair.index, mac: '02:00:00:00:00:09' };
    await netlink.replaceNeighbour({ ...entry, address: Address.parse('192.0.2.9') });
    await netlink.replaceNeighbour({ ...entry, address: Address.parse('2001:db8::9') });
    for (const family of ['-4', '-6']) {
      const shown = run('ip', family, 'neighbour', 'show', 'dev', pair.name);
      t.match(shown, /lladdr 02:00:00:00:00:09 PERMANENT/);
    }
  });

  t.test('an IPv6 address can be used at once', async (t) => {
    const netlink = openNetlink(t);
    const pair = await makePair(t, netlink);
    await netlink.addAddress(pair.index, Address.parse('2001:db8::5'), 64);
    t.notMatch(
      run('ip', '-6', 'address', 'show', 'dev', pair.name),
      /tentative.*2001|2001.*tentative/,
    );
  });

  t.test(
    'a peer in a container that ended takes its pair along, and deleting it is no error',
    async (t) => {
      const netlink = openNetlink(t);
      const pair = await makePair(t, netlink);
      const box = await createNetworkNamespace(t, 'box');
      box.take(pair.peer, { as: 'cali0' });
      t.match(await netlink.linkByName(pair.name), { up: true, running: true });
      t.equal(await netlink.linkByName(pair.peer), undefined);
      await netlink.deleteLinks([{ index: pair.index, name: pair.name }]);
      t.equal(await netlink.linkByName(pair.name), undefined);
      t.notMatch(box.run('ip', '-o', 'link'), 'cali0', 'gone from the container too');
    },
  );

  t.test('without permission everything is refused', async (t) => {
    const script = `
      import { createKernelNetlink } from '${new URL('../../../src/netlink/index.ts', import.meta.url).href}';
      import { silentLog } from '${new URL('../../../src/base/index.ts', import.meta.url).href}';
      const netlink = createKernelNetlink({ log: silentLog });
      const host = { name: 'cali1', mac: 'ee:ee:ee:ee:ee:ee' };
      const kinds = [];
      for (const work of [
        () => netlink.createVeth({ host, peer: { name: 'temp1' }, mtu: 1500 }),
        () => netlink.deleteLinks([{ index: 1, name: 'lo' }]),
      ]) await work().catch((error) => kinds.push(error.kind));
      await netlink.close();
      console.log(JSON.stringify(kinds));`;
    const dropped = [
      '--bounding-set',
      '-all',
      '--inh-caps',
      '-all',
      '--reuid',
      '65534',
      '--clear-groups',
    ];
    const node = [process.execPath, '--import=tsx', '--input-type=module', '--eval', script];
    t.strictSame(JSON.parse(run('setpriv', ...dropped, '--', ...node)), ['refused', 'refused']);
  });
});
