import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLog, systemClock } from '../src/base/index.js';
import { chooseDataplane, ensureReturnAction } from '../src/choose-dataplane.js';
import { resourceKey } from '../src/datastore/index.js';
import { decodeFelixConfiguration } from '../src/model/v3/index.js';
import { createMemoryStore, type MemoryStore } from './fixtures/memory-store.js';

/** A /proc with these command lines. */
function procWith(folder: string, commands: readonly string[]): string {
  for (const [at, command] of commands.entries()) {
    mkdirSync(join(folder, String(at + 100)), { recursive: true });
    writeFileSync(join(folder, String(at + 100), 'cmdline'), command.replaceAll(' ', '\0'));
  }
  mkdirSync(join(folder, 'self'), { recursive: true });
  return folder;
}

t.test('auto leaves routes and policy to a Felix that runs', async (t) => {
  const found: readonly string[] = [
    'calico-felix',
    '/usr/local/bin/calico-felix --config-file /etc/calico/felix.cfg',
    '/usr/bin/calico-node -felix',
    'calico-node -v -felix',
    '/opt/calico component felix',
  ];
  for (const command of found) {
    const proc = procWith(t.testdir({}), ['/sbin/init', command]);
    t.match(chooseDataplane('auto', proc), { kind: 'external', decision: { reason: 'felix' } });
  }
  const others: readonly string[] = [
    'vim calico-felix.txt',
    'calico-node -bird',
    'grep -felix',
    'calico component confd',
  ];
  for (const command of others) {
    const proc = procWith(t.testdir({}), [command]);
    t.same(chooseDataplane('auto', proc), { kind: 'internal' }, command);
  }
});

t.test('what is configured holds, and what does not fit is said', async (t) => {
  const alone = procWith(t.testdir({}), ['/sbin/init']);
  t.same(chooseDataplane('internal', alone), { kind: 'internal' });
  t.match(chooseDataplane('external', alone), {
    kind: 'external',
    decision: { details: /no Felix runs on this host/ },
  });
});

t.test('and the reverse', async (t) => {
  const beside = procWith(t.testdir({}), ['calico-felix']);
  t.same(chooseDataplane('external', beside), { kind: 'external' });
  t.match(chooseDataplane('internal', beside), {
    kind: 'internal',
    decision: { details: /each undoes what the other sets/ },
  });
});

const KEYS = {
  all: resourceKey('felixconfigurations', 'default'),
  own: resourceKey('felixconfigurations', 'node.node1'),
};
const put = (store: MemoryStore, key: string, spec: object): void => {
  const name = key.split('/').at(-1);
  store.put(key, JSON.stringify({ kind: 'FelixConfiguration', metadata: { name }, spec }));
};
const actionOf = async (store: MemoryStore, key: string): Promise<string | undefined> => {
  const entry = await store.get(key);
  return entry && decodeFelixConfiguration(entry.value).defaultEndpointToHostAction;
};

t.test('containers reach their own host unless somebody decided otherwise', async (t) => {
  const options = { node: 'node1', clock: systemClock, log: silentLog };
  const ensure = (store: MemoryStore): Promise<void> =>
    ensureReturnAction({ ...options, store }, AbortSignal.timeout(5_000));
  const empty = createMemoryStore();
  await ensure(empty);
  t.equal(await actionOf(empty, KEYS.own), 'Return');
  const before = (await empty.get(KEYS.own))?.revision;
  await ensure(empty);
  t.equal((await empty.get(KEYS.own))?.revision, before, 'once');

  const partly = createMemoryStore();
  put(partly, KEYS.own, { vxlanPort: 8472, unheardOf: [1] });
  await ensure(partly);
  t.match(JSON.parse((await partly.get(KEYS.own))?.value ?? ''), {
    spec: { vxlanPort: 8472, unheardOf: [1], defaultEndpointToHostAction: 'Return' },
  });

  const decided = createMemoryStore();
  put(decided, KEYS.all, { defaultEndpointToHostAction: 'Drop' });
  await ensure(decided);
  t.equal(await decided.get(KEYS.own), undefined);
});
