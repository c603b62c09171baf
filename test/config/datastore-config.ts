import t from 'tap';
import { chooseStore, readDatastoreConfig } from '../../src/config/index.js';
import { faultOf } from '../fixtures/fault-of.js';

const read = (env: Record<string, string>, files: Record<string, string> = {}, path?: string) =>
  readDatastoreConfig({ env, readFile: (name) => files[name] }, path);
const DEFAULT = '/etc/calico/calicoctl.cfg';
const file = (spec: string): string =>
  `apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nmetadata:\nspec:\n${spec}`;

t.test('from the environment, the CALICO_ form first', async (t) => {
  t.equal(read({}), undefined);
  t.equal(read({ ETCD_ENDPOINTS: '' }), undefined);
  t.match(read({ ETCD_ENDPOINTS: 'http://a:2379, http://b:2379' }), {
    type: 'etcdv3',
    endpoints: ['http://a:2379', 'http://b:2379'],
    source: 'environment',
  });
  const both = read({ ETCD_ENDPOINTS: 'http://a:1', CALICO_ETCD_ENDPOINTS: 'http://b:1' });
  t.match(both, { endpoints: ['http://b:1'] });
  t.match(read({ DATASTORE_TYPE: 'etcdv3', ETCD_DISCOVERY_SRV: 'example.org' }), {
    endpoints: [],
    discoverySrv: 'example.org',
  });
  const user = { ETCD_ENDPOINTS: 'http://a:1', ETCD_USERNAME: 'u' };
  t.notHas(read(user), { username: 'u' }, 'a user without password is not used');
  t.match(read({ ...user, ETCD_PASSWORD: 'p' }), { username: 'u', password: 'p' });
});

t.test('a file that exists is used alone', async (t) => {
  const files = { [DEFAULT]: file('  datastoreType: etcdv3\n  etcdEndpoints: http://f:1\n') };
  const config = read({ ETCD_ENDPOINTS: 'http://e:1', ETCD_USERNAME: 'u' }, files);
  t.match(config, { endpoints: ['http://f:1'], source: DEFAULT });
  const json =
    '{"apiVersion":"projectcalico.org/v3","kind":"CalicoAPIConfig","spec":{"etcdEndpoints":"http://j:1"}}';
  t.match(read({}, { '/x': json }, '/x'), { endpoints: ['http://j:1'] });
});

t.test('what cannot be used is said', async (t) => {
  const message = async (...given: Parameters<typeof read>): Promise<string> =>
    (await faultOf(() => read(...given))).message;
  t.match(await message({}, {}, '/nope'), /Error reading config file: \/nope/);
  t.match(await message({}, { [DEFAULT]: file('  bogus: 1\n') }), /unknown field "bogus"/);
  t.match(await message({}, { [DEFAULT]: file('  {}\n') }), /no etcd endpoints specified/);
  t.match(await message({}, { [DEFAULT]: 'kind: X\n' }), /CalicoAPIConfig/);
  t.match(await message({}, { [DEFAULT]: 'a: [' }), /no valid YAML/);
  t.match(await message({ DATASTORE_TYPE: 'bogus' }), /unknown datastore type: bogus/);
  t.match(await message({ DATASTORE_TYPE: 'kubernetes' }), /not offered/);
  t.match(await message({ DATASTORE_TYPE: 'etcdv3' }), /no etcd endpoints specified/);
  t.match(
    await message({ ETCD_ENDPOINTS: 'http://a:1', ETCD_DISCOVERY_SRV: 'b' }),
    /both set.*remove one/,
  );
  t.match(await message({ ETCD_ENDPOINTS: 'http://a:1', ETCD_KEY_FILE: '/k' }), /belong together/);
  const mixed = file('  etcdEndpoints: http://a:1\n  etcdCACert: x\n  etcdCACertFile: /y\n');
  t.match(await message({}, { [DEFAULT]: mixed }), /keep one form/);
});

t.test('which datastore is opened', async (t) => {
  const etcd = read({ ETCD_ENDPOINTS: 'http://a:1' });
  const here = { type: 'embedded', clusterGuid: 'g' } as const;
  const cluster = { type: 'etcdv3', clusterGuid: 'g' } as const;
  const choose = (question: Partial<Parameters<typeof chooseStore>[0]>): string =>
    chooseStore({ wanted: 'auto', configured: undefined, recorded: undefined, ...question }).type;
  t.equal(choose({}), 'embedded', 'a new host without any configuration');
  t.equal(choose({ recorded: here }), 'embedded');
  t.equal(choose({ configured: etcd }), 'etcdv3');
  t.equal(choose({ configured: etcd, recorded: here }), 'etcdv3');
  t.equal(choose({ wanted: 'embedded', configured: etcd, recorded: cluster }), 'embedded');
  const lost = await faultOf(() => choose({ recorded: cluster }));
  t.equal(lost.kind, 'refused');
  t.match(lost.message, /belongs to the cluster g/);
  const shipped = await faultOf(() => choose({ wanted: 'etcdv3' }));
  t.match(shipped.message, /no etcd endpoints are specified/);
});
