import t from 'tap';
import { findScope, refuseChangedScope } from '../../src/config/index.js';

const reader = (files: Readonly<Record<string, string>>) => ({
  readFile: (path: string) => files[path],
});

t.test('a cluster store makes the scope global, wherever it is named', async (t) => {
  t.equal(findScope(reader({}), 'auto').scope, 'local');
  const running = {
    '/var/run/docker.pid': '42\n',
    '/proc/42/cmdline': 'dockerd\0--cluster-store=etcd://10.0.0.1:2379\0',
  };
  t.equal(findScope(reader(running), 'auto').scope, 'global');
  const two = {
    '/var/run/docker.pid': '42',
    '/proc/42/cmdline': 'dockerd\0--cluster-store\0etcd://10.0.0.1:2379\0',
  };
  t.equal(findScope(reader(two), 'auto').scope, 'global');
  t.equal(
    findScope(reader({ '/etc/docker/daemon.json': '{"cluster-store":"etcd://x"}' }), 'auto').scope,
    'global',
  );
  t.equal(findScope(reader({ '/etc/docker/daemon.json': '{broken' }), 'auto').scope, 'local');
  t.equal(findScope(reader(running), 'local').scope, 'local', 'the setting wins');
});

t.test('a change under existing networks is refused with what to do', async (t) => {
  const global = { scope: 'global', source: 'scope' } as const;
  t.throws(
    () => refuseChangedScope(global, 'local'),
    /set scope: local, or remove the networks first/,
  );
  t.doesNotThrow(() => refuseChangedScope(global, undefined));
  t.doesNotThrow(() => refuseChangedScope(global, 'global'));
});
