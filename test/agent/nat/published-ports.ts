import t from 'tap';
import { PortHolder, PublishedPorts } from '../../../src/agent/nat/index.js';
import { DesiredTable } from '../../../src/agent/table.js';
import { silentLog } from '../../../src/base/index.js';
import type { PublishedPort } from '../../../src/model/index.js';

/** SCTP: nothing of this machine is held. */
const port = (more: Partial<PublishedPort> = {}): PublishedPort => ({
  ...{ protocol: 'sctp', hostAddress: '', hostPort: 8080, address: '10.1.0.2', port: 80 },
  ...more,
});

function setUp(): { readonly table: DesiredTable; readonly published: PublishedPorts } {
  const table = new DesiredTable('t');
  return { table, published: new PublishedPorts(table, new PortHolder(silentLog)) };
}

const elements = (table: DesiredTable, set: string): readonly string[] =>
  [...(table.sets.get(set)?.elements ?? [])].map(([key, value]) => `${key} : ${value}`);

t.test('all addresses of one family are a wildcard, not an address', async (t) => {
  const { table, published } = setUp();
  published.set('a', [
    port({ hostAddress: '0.0.0.0' }),
    port({ hostAddress: '::', address: 'fd00::2' }),
    port({ hostAddress: '192.0.2.1', hostPort: 81 }),
  ]);
  t.same(elements(table, 'pub4'), ['sctp . 8080 : 10.1.0.2 . 80']);
  t.same(elements(table, 'pub6'), ['sctp . 8080 : fd00::2 . 80']);
  t.same(elements(table, 'pub4-at'), ['192.0.2.1 . sctp . 81 : 10.1.0.2 . 80']);
  t.same(elements(table, 'pub6-at'), []);
});

t.test('loopback addresses are translated for the host alone, and ::1 not at all', async (t) => {
  const { table, published } = setUp();
  published.set('a', [port()]);
  t.equal(table.chains.get('pub-pre')?.rules[0], 'ip daddr 127.0.0.0/8 return');
  t.equal(table.chains.get('pub-out')?.rules[0], 'ip6 daddr ::1 return');
});
