import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createAdminServer } from '../../src/admin/index.js';
import { silentLog } from '../../src/base/index.js';
import { openStore, readStatus } from '../../src/cli/stores.js';
import { cliOn } from '../fixtures/cli-run.js';
import { faultOf } from '../fixtures/fault-of.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const inputs = (env: Record<string, string>) => ({
  env,
  readFile: () => undefined,
  osHostname: 'host',
});

t.test('without any configuration the embedded store, through the daemon', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'cli-stores-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'admin.sock');
  const env = { CALICO_LIBNETWORK_ADMIN_SOCKET: path };
  const down = await faultOf(openStore(inputs(env), {}));
  t.equal(down.kind, 'unavailable');
  t.match(
    down.message,
    /no etcd is configured.*admin.sock.*systemctl start calico-libnetwork, or name etcd/,
  );
  const mute = await faultOf(readStatus(inputs(env)));
  t.match(mute.message, /start it with systemctl start calico-libnetwork$/);

  const memory = createMemoryStore({ type: 'embedded' });
  const status = async () => ({ version: '1' });
  const server = createAdminServer({ path, store: memory, status, log: silentLog });
  await server.listen();
  t.teardown(() => server.close());
  t.same(await readStatus(inputs(env)), { version: '1' });
  t.same(await readStatus(inputs({}), path), { version: '1' }, 'a socket that was named');
  const store = await openStore(inputs(env), {});
  const cli = cliOn(store);
  const stdin =
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p1}\nspec: {cidr: 10.0.0.0/24}\n';
  t.match(await cli('create -f -', { stdin }), { status: 0, err: '' });
  t.match(await cli('get ippools'), { status: 0, out: /p1 {5}10.0.0.0\/24/ });
  t.ok(memory.dump()['/calico/resources/v3/projectcalico.org/ippools/p1']);
  t.match(await cli('delete ippool p1'), { status: 0, err: '' });
  await store.close();
});

t.test('a configuration that is wrong is told, not skipped', async (t) => {
  t.match(
    (await faultOf(openStore(inputs({ DATASTORE_TYPE: 'kubernetes' }), {}))).message,
    /not offered/,
  );
  t.match(
    (await faultOf(openStore(inputs({}), { config: '/nope' }))).message,
    /Error reading config file: \/nope/,
  );
  const etcd = await openStore(inputs({ ETCD_ENDPOINTS: 'http://127.0.0.1:1' }), {});
  t.equal(etcd.type, 'etcdv3');
  await etcd.close();
});
