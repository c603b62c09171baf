import t from 'tap';
import { silentLog } from '../../src/base/index.js';
import { ScopeKeeper } from '../../src/keep-scope.js';
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
  const global = { scope: 'global', source: 'scope', certain: true } as const;
  t.throws(
    () => refuseChangedScope(global, 'local'),
    /set scope: local, or remove the networks first/,
  );
  t.doesNotThrow(() => refuseChangedScope(global, undefined));
  t.doesNotThrow(() => refuseChangedScope(global, 'global'));
  const unknown = findScope(reader({}), 'auto');
  t.doesNotThrow(() => refuseChangedScope(unknown, 'global'), 'the engine has yet to start');
});

t.test('the engine is started after us, and started anew', async (t) => {
  const files: Record<string, string> = {};
  const stateDir = t.testdir({});
  const find = () => findScope(reader(files), 'auto');
  const first = new ScopeKeeper(stateDir, find, silentLog);
  t.equal(first.current(), 'local', 'nothing is known yet');
  files['/run/docker.pid'] = '42';
  files['/proc/42/cmdline'] = 'sshd\0--cluster-store=no engine\0';
  t.equal(first.current(), 'local', 'a pid file of a life before');
  files['/proc/42/cmdline'] = '/usr/bin/dockerd\0--cluster-store=etcd://x\0';
  t.equal(first.current(), 'global');
  first.keep(1);
  delete files['/run/docker.pid'];
  t.equal(new ScopeKeeper(stateDir, find, silentLog).current(), 'global', 'after a boot');
  files['/run/docker.pid'] = '43';
  files['/proc/43/cmdline'] = '/usr/bin/dockerd\0';
  t.equal(first.current(), 'global', 'Docker is told nothing else while networks exist');
  t.throws(() => new ScopeKeeper(stateDir, find, silentLog), /remove the networks first/);
  first.keep(0);
  t.equal(first.current(), 'local');
});
