import t from 'tap';
import { EndpointBook } from '../../src/agent/endpoint-book.js';
import { systemClock } from '../../src/base/index.js';
import { Address, type WorkloadEndpoint } from '../../src/model/index.js';
import { localEndpoint } from '../fixtures/agent-facts.js';

const stored = (more: Partial<WorkloadEndpoint>): WorkloadEndpoint => ({
  namespace: 'default',
  name: '',
  node: 'node1',
  orchestrator: 'libnetwork',
  workload: 'libnetwork',
  endpoint: 'e1',
  containerId: '',
  interfaceName: 'calie1',
  mac: '',
  addresses: [Address.parse('10.0.0.1')],
  profiles: ['stored'],
  labels: { from: 'store' },
  ports: [],
  allowSpoofedSourcePrefixes: [],
  ...more,
});
const local = localEndpoint('e1', 'calie1', 7, ['10.0.0.1'], {
  profiles: ['local'],
  labels: { from: 'driver' },
});

t.test('who spoke last is right', async (t) => {
  const book = new EndpointBook(systemClock);
  book.add(local);
  t.match(book.facts('e1'), {
    labels: {
      from: 'driver',
      'projectcalico.org/namespace': 'default',
      'projectcalico.org/orchestrator': 'libnetwork',
    },
    profiles: ['local'],
  });
  t.equal(book.setStored('k1', stored({})), 'e1');
  t.match(book.facts('e1'), { labels: { from: 'store' }, profiles: ['stored'] });
  t.match(book.policy('e1'), { profiles: ['stored'], interfaceName: 'calie1' });
  book.add({ ...local, profiles: ['newer'] });
  t.match(book.facts('e1'), { labels: { from: 'driver' }, profiles: ['newer'] });
  t.match(book.policy('e1'), { profiles: ['newer'] });
});

t.test('a live endpoint outlives its stored object', async (t) => {
  const book = new EndpointBook(systemClock);
  book.add(local);
  book.setStored('k1', stored({}));
  t.equal(book.setStored('k1', undefined), 'e1');
  t.match(book.facts('e1'), { profiles: ['local'] });
});

t.test('a withdrawn endpoint is gone, whatever the store still tells', async (t) => {
  const book = new EndpointBook(systemClock);
  book.setStored('k1', stored({}));
  t.match(book.unclaimed(), [['e1', { interfaceName: 'calie1' }]]);
  book.add(local);
  t.same(book.unclaimed(), []);
  book.withdraw('e1');
  t.equal(book.facts('e1'), undefined);
  t.equal(book.policy('e1'), undefined);
  t.same(book.unclaimed(), []);
  book.setStored('k1', stored({ labels: { late: 'news' } }));
  t.equal(book.facts('e1'), undefined);
  book.setStored('k1', undefined);
  book.setStored('k1', stored({}));
  t.match(book.facts('e1'), { profiles: ['stored'] }, 'the same ID made anew');
});

t.test('a withdrawn endpoint that the store never knew is forgotten in time', async (t) => {
  let now = 0;
  const book = new EndpointBook({ now: () => now, monotonic: () => now });
  book.withdraw('e1');
  now = 599_000;
  book.tidy();
  book.setStored('k1', stored({}));
  t.equal(book.facts('e1'), undefined);
  book.withdraw('e2');
  now += 601_000;
  book.tidy();
  book.setStored('k2', stored({ endpoint: 'e2' }));
  t.match(book.facts('e2'), { profiles: ['stored'] });
});

t.test(
  "endpoints of other orchestrators go by their key: Docker's ID is unique, eth0 is not",
  async (t) => {
    const book = new EndpointBook(systemClock);
    const other = stored({ orchestrator: 'k8s', endpoint: 'eth0' });
    t.equal(book.setStored('k1', other), 'k1');
    t.equal(book.setStored('k2', other), 'k2');
    t.equal(book.setStored('unknown', undefined), undefined);
  },
);
