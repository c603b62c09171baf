import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findProgram, labObstacle, startLabHost } from '../fixtures/lab-host.js';
import { waitFor } from '../fixtures/lab-process.js';
import { createEngineClient } from '../fixtures/engine-client.js';
import { ensureBuilt, IPAM_SOCKET, NETWORK_SOCKET } from '../fixtures/plugin-daemon.js';

function stage(): string {
  ensureBuilt();
  const tree = mkdtempSync('/tmp/calico-stage-');
  const result = spawnSync('sh', ['packaging/stage.sh', tree], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(result.stderr);
  return tree;
}

t.test(
  'the packaged programs run without the checkout',
  { skip: labObstacle() ?? false },
  async (t) => {
    const tree = stage();
    t.teardown(() => rmSync(tree, { recursive: true, force: true }));
    t.equal(
      readlinkSync(join(tree, 'usr/bin/calicoctl')),
      '../lib/calico-libnetwork/bin/calicoctl',
    );
    t.notOk(
      existsSync(join(tree, 'usr/lib/calico-libnetwork/node_modules/fastify')),
      'bundled, not shipped',
    );
    const koffi = join(tree, 'usr/lib/calico-libnetwork/node_modules/koffi');
    const loaded = spawnSync(process.execPath, ['-e', `require('${koffi}').load('libc.so.6')`]);
    t.equal(loaded.status, 0, 'nftables in process: all of koffi is there');
    for (const dropIn of [
      'NetworkManager/conf.d/50-calico.conf',
      'systemd/networkd.conf.d/50-calico.conf',
      'firewalld/services/calico.xml',
      'firewalld/zones/calico.xml',
    ]) {
      t.ok(existsSync(join(tree, 'usr/lib', dropIn)), dropIn);
      const text = readFileSync(join(tree, 'usr/lib', dropIn), 'utf8');
      const comments = [...text.matchAll(/<!--([^]*?)-->/g)].map(([, inside]) => inside);
      t.notMatch(comments.join('\n'), '--', 'comments of XML have no double hyphen');
    }
    const host = await startLabHost('packaged');
    t.teardown(() => host.stop());
    t.match(
      await host.must(join(tree, 'usr/bin/calicoctl'), ['version', '--client']),
      /\d+\.\d+\.\d+/,
    );
    const env = {
      CALICO_STATE_DIR: join(host.dir, 'state'),
      CALICO_LIBNETWORK_DATASTORE_TYPE: 'embedded',
    };
    const daemon = await host.spawn(join(tree, 'usr/bin/calico-libnetwork'), [], { env });
    for (const socket of [NETWORK_SOCKET, IPAM_SOCKET]) {
      const client = createEngineClient(host.path(socket));
      t.teardown(() => client.close());
      await waitFor('the socket to answer', () =>
        client.raw('Plugin.Activate').then(
          (one) => one.status === 200,
          () => false,
        ),
      );
    }
    // Native modules load with the store, after the sockets.
    await waitFor('the daemon to be ready', () => {
      if (!daemon.running()) throw new Error(daemon.log());
      return daemon.log().includes('"msg":"ready"');
    });
    t.pass('ready');
    await daemon.end();
  },
);

t.test(
  'the units are in order',
  { skip: findProgram('systemd-analyze') === undefined ? 'needs systemd-analyze' : false },
  async (t) => {
    const units = ['calico-libnetwork.service', 'calico-libnetwork.socket'].map((name) =>
      join('packaging/systemd', name),
    );
    const result = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
      encoding: 'utf8',
    });
    // The program is not installed here; anything else is a mistake in the unit.
    const lines = result.stderr
      .split('\n')
      .filter((line) => line.includes('calico-libnetwork') && !line.includes('is not executable'));
    t.same(lines, []);
  },
);

t.test('launchers work through links and from anywhere', async (t) => {
  ensureBuilt();
  const folder = t.testdir({
    deep: {},
    linked: t.fixture('symlink', join(process.cwd(), 'bin/calicoctl')),
  });
  const again = spawnSync('ln', ['-s', '../linked', join(folder, 'deep/again')]);
  t.equal(again.status, 0);
  const result = spawnSync(join(folder, 'deep/again'), ['version', '--client'], {
    cwd: '/',
    encoding: 'utf8',
  });
  t.equal(result.status, 0, result.stderr);
  t.match(result.stdout, /\d+\.\d+\.\d+/);
  t.equal(result.stderr, '', 'quiet when nothing is to be done');
});
