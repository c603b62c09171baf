import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  loadHostUuid,
  readBootId,
  recordDatastore,
  recordedDatastore,
  recordedNodename,
  recordNodename,
} from '../../src/node/index.js';
import { faultOf } from '../fixtures/fault-of.js';

t.test('the host UUID is made once, also by callers at once', async (t) => {
  const folder = join(t.testdir(), 'new', 'state');
  const made = await Promise.all(Array.from({ length: 8 }, () => loadHostUuid(folder)));
  t.equal(new Set(made.map(({ uuid }) => uuid)).size, 1);
  t.equal(made.filter((one) => one.made).length, 1);
  t.same(await loadHostUuid(folder), { uuid: made[0]?.uuid, made: false });
  t.same(await readdir(folder), ['host-uuid'], 'no temporary file stays');
});

t.test('a damaged host UUID is refused: a new one would disown every address', async (t) => {
  const folder = t.testdir({ 'host-uuid': 'not a uuid\n' });
  t.match(await faultOf(loadHostUuid(folder)), {
    kind: 'corrupt',
    message: /host-uuid holds "not a uuid"/,
  });
  t.equal(await readFile(join(folder, 'host-uuid'), 'utf8'), 'not a uuid\n');
  t.match(await faultOf(loadHostUuid(t.testdir({ 'host-uuid': '' }))), { kind: 'corrupt' });
});

t.test(
  'the node name is where Calico looks for it, and written only when it changes',
  async (t) => {
    const folder = t.testdir();
    t.equal(await recordedNodename(folder), undefined);
    await recordNodename(folder, 'node1');
    t.equal(await readFile(join(folder, 'nodename'), 'utf8'), 'node1\n');
    await recordNodename(folder, 'node2');
    t.equal(await recordedNodename(folder), 'node2');
    t.same(await readdir(folder), ['nodename']);
  },
);

t.test('the datastore that the host belongs to', async (t) => {
  const folder = t.testdir();
  t.equal(await recordedDatastore(folder), undefined);
  const record = {
    type: 'etcdv3',
    storeId: 'cdf818194e3a8c32',
    clusterGuid: '0f8b1c0e5d6a4e7f9a3b2c1d0e9f8a7b',
  } as const;
  await recordDatastore(folder, record);
  await recordDatastore(folder, record);
  t.same(await recordedDatastore(folder), record);
  for (const text of ['', '{', '[]', 'null', '{"type":"consul","storeId":"1","clusterGuid":"2"}']) {
    await writeFile(join(folder, 'datastore.json'), text);
    t.match(
      await faultOf(recordedDatastore(folder)),
      { kind: 'corrupt' },
      `"${text}" must not read as "no datastore yet"`,
    );
  }
});

t.test('a state folder that cannot be used says its path', async (t) => {
  const folder = t.testdir({ file: '' });
  t.match(await faultOf(loadHostUuid(join(folder, 'file'))), {
    kind: 'unavailable',
    message: /cannot use .*host-uuid/,
  });
  await mkdir(join(folder, 'nodename'));
  t.match(await faultOf(recordNodename(folder, 'node1')), { kind: 'unavailable' });
});

t.test('the boot id', async (t) => {
  t.match(await readBootId(), /^[0-9a-f-]{36}$/);
  t.match(await faultOf(readBootId(join(t.testdir(), 'none'))), {
    kind: 'unavailable',
    reason: 'no-boot-id',
  });
});
