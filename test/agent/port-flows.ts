import t from 'tap';
import { cutPortFlows } from '../../src/agent/port-flows.js';
import { silentLog } from '../../src/base/index.js';
import { Address, type PublishedPort } from '../../src/model/index.js';
import type { ConnectionFlow } from '../../src/netlink/index.js';

const udp: PublishedPort = {
  ...{ protocol: 'udp', hostAddress: '', hostPort: 5353, address: '10.1.0.2', port: 53 },
};
const flow = (to: string, destinationPort: number, more: Partial<ConnectionFlow> = {}) => ({
  ...{ source: Address.parse('192.0.2.9'), destination: Address.parse(to) },
  ...{ protocol: 17, sourcePort: 5555, destinationPort, ...more },
});
const untranslated = flow('192.0.2.1', 5353);
const translated = flow('10.1.0.2', 53, { translated: true });
const others = [
  ...[flow('192.0.2.1', 53), flow('192.0.2.2', 5353), flow('10.1.0.2', 53)],
  flow('192.0.2.1', 5353, { protocol: 6 }),
];

async function cut(before: readonly PublishedPort[], now: readonly PublishedPort[]) {
  let gone: readonly ConnectionFlow[] = [];
  const netlink = {
    addresses: async () => [{ index: 1, address: Address.parse('192.0.2.1'), prefix: 24 }],
    cutFlows: async (isForbidden: (one: ConnectionFlow) => boolean) => {
      gone = [untranslated, translated, ...others].filter(isForbidden);
      return gone.length;
    },
  };
  await cutPortFlows({ netlink, log: silentLog }, before, now);
  return gone;
}

t.test('senders that were there before the port, and connections that outlive it', async (t) => {
  t.same(await cut([], [udp]), [untranslated]);
  t.same(await cut([udp], []), [translated]);
  t.same(await cut([udp], [udp]), []);
  t.same(await cut([], [{ ...udp, protocol: 'tcp' }]), [], 'TCP begins anew by itself');
});
