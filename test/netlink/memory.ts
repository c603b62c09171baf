import t from 'tap';
import { Fault } from '../../src/base/fault.js';
import { Address, Cidr } from '../../src/model/index.js';
import { faultOf } from '../fixtures/fault-of.js';
import { createMemoryNetlink, ROUTE_PROTOCOL, type KernelEvent } from '../../src/netlink/index.js';
import { makePair, netlinkContract } from '../fixtures/netlink-contract.js';

t.test('the contract', async (t) => {
  netlinkContract(t, () => {
    const netlink = createMemoryNetlink();
    return { netlink, outside: netlink };
  });
});

t.test('a peer that Docker moves away is seen no more, its host end has carrier', async (t) => {
  const netlink = createMemoryNetlink();
  const pair = await makePair(t, netlink);
  netlink.moveAway(pair.peer);
  t.equal(await netlink.linkByName(pair.peer), undefined);
  t.match(await netlink.linkByName(pair.name), { up: true, running: true });
});

t.test('flows go by original and by reply source', async (t) => {
  const netlink = createMemoryNetlink();
  const [one, two, three] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((a) => Address.parse(a));
  if (one === undefined || two === undefined || three === undefined) throw new Error('unreachable');
  netlink.flows.push(
    { originalSource: one, replySource: two },
    { originalSource: two, replySource: one },
    { originalSource: two, replySource: three },
  );
  t.equal(await netlink.deleteFlows([one]), 2);
  t.strictSame(netlink.flows, [{ originalSource: two, replySource: three }]);
});

t.test('failures can be asked for, and calls are counted', async (t) => {
  const netlink = createMemoryNetlink();
  netlink.failNext('links', new Fault('unavailable', 'on purpose'));
  t.match(await faultOf(netlink.links()), { kind: 'unavailable', message: 'on purpose' });
  t.equal((await netlink.links()).length, 1);
  t.strictSame(netlink.calls, ['links', 'links']);
});

t.test('what others do is told', async (t) => {
  const netlink = createMemoryNetlink();
  const events: KernelEvent[] = [];
  netlink.monitor((event) => events.push(event));
  await Promise.resolve();
  const link = netlink.addLink({ name: 'eth0', up: true });
  netlink.renameLink('eth0', 'eth1');
  await netlink.replaceRoute({
    destination: Cidr.parse('192.0.2.0/24'),
    type: 'unicast',
    protocol: ROUTE_PROTOCOL,
    scope: 'link',
    interfaceIndex: link.index,
  });
  netlink.removeLink('eth1');
  netlink.overrun();
  await new Promise(setImmediate);
  t.match(events, [
    { type: 'overrun' },
    { type: 'link', link: { name: 'eth0' }, removed: false },
    { type: 'link', link: { name: 'eth1' }, removed: false },
    { type: 'route', removed: false },
    { type: 'route', removed: true },
    { type: 'link', link: { name: 'eth1', up: false }, removed: true },
    { type: 'overrun' },
  ]);
});
