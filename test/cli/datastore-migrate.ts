import t from 'tap';
import { resourceKey } from '../../src/datastore/index.js';
import { cliOn } from '../fixtures/cli-run.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { clusterOf } from '../fixtures/stored-objects.js';

const KEY = resourceKey('clusterinformations', 'default');
const cluster = (guid: string, more: object = {}): string =>
  JSON.stringify({
    kind: 'ClusterInformation',
    apiVersion: 'projectcalico.org/v3',
    metadata: { name: 'default', uid: 'u', annotations: { kept: 'yes' } },
    spec: { clusterGUID: guid, datastoreReady: true, variant: 'Calico', ...more },
  });

t.test('the lock is Calico’s flag, and nothing else changes', async (t) => {
  const store = createMemoryStore({ entries: { [KEY]: cluster('guid') } });
  const cli = cliOn(store);
  t.match(await cli('datastore migrate lock'), { status: 0, out: 'Datastore locked.\n' });
  t.same(
    JSON.parse(store.dump()[KEY] ?? ''),
    JSON.parse(cluster('guid', { datastoreReady: false })),
  );
  t.equal((await cli('datastore migrate lock')).status, 0);
  t.match(await cli('datastore migrate unlock'), { status: 0, out: 'Datastore unlocked.\n' });
  t.same(JSON.parse(store.dump()[KEY] ?? ''), JSON.parse(cluster('guid')));
  const empty = await cliOn(createMemoryStore())('datastore migrate lock');
  t.match(empty, { status: 1, err: /holds no cluster/ });
});

t.test('what is exported is what is imported, to the byte', async (t) => {
  const odd = { '/calico/ipam/v2/handle/ü': '{"a" : 12345678901234567890}\n' };
  const entries = {
    ...clusterOf(['node1'], { pool1: '10.20.0.0/16' }),
    ...odd,
    ...Object.fromEntries(
      Array.from({ length: 250 }, (_, at) => [`/calico/ipam/v2/handle/h${at}`, 'x'.repeat(5000)]),
    ),
    '/calico/docker/v1/holds/node1': 'a lease',
    '/elsewhere': 'not ours',
    [KEY]: cluster('guid', { datastoreReady: false }),
  };
  const from = createMemoryStore({ entries });
  const { out: file, status } = await cliOn(from)('datastore migrate export');
  t.equal(status, 0);
  const { '/calico/docker/v1/holds/node1': _hold, '/elsewhere': _other, ...moved } = from.dump();

  // A client of Calico's was here before: it makes the objects that every datastore has.
  const to = createMemoryStore({ entries: { [KEY]: cluster('fresh') } });
  const load = cliOn(to);
  const files = { 'f.jsonl': file };
  t.match(await load('datastore migrate import -f f.jsonl', { files }), {
    status: 0,
    out: `Successfully imported ${Object.keys(moved).length} keys; calicoctl datastore migrate unlock ends the migration\n`,
  });
  t.same(to.dump(), moved);
  t.equal((await load('datastore migrate import -f -', { stdin: file })).status, 0, 'once more');
  to.put('/calico/ipam/v2/handle/h7', 'changed');
  const refused = await load('datastore migrate import -f f.jsonl', { files });
  t.match(refused, { status: 1, err: /is in use: it has 1 keys that are not in the file/ });
  t.equal(to.dump()['/calico/ipam/v2/handle/h7'], 'changed');
});

t.test('what cannot be used is refused before anything is written', async (t) => {
  const open = createMemoryStore({ entries: { [KEY]: cluster('guid') } });
  t.match(await cliOn(open)('datastore migrate export'), { status: 1, err: /is not locked/ });
  const store = createMemoryStore();
  const bad = (stdin: string) => cliOn(store)('datastore migrate import -f -', { stdin });
  const head = (keys: number): string =>
    JSON.stringify({ format: 'calico-libnetwork datastore', version: 1, keys });
  t.match((await bad('')).err, /is no file of calicoctl datastore migrate export|JSON/);
  t.match((await bad('{"kind": "IPPool"}')).err, /is no file of/);
  t.match((await bad(`${head(2)}\n{"key":"/calico/x","value":""}\n`)).err, /was cut off: it has 1/);
  t.match((await bad(`${head(1)}\n{"key":"/other","value":""}\n`)).err, /line 2: no key of Calico/);
  t.match((await bad(`${head(1)}\n{"key":\n`)).err, /line 2/);
  t.same(store.dump(), {});
});
