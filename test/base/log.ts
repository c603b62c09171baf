import t from 'tap';
import { hideSecrets } from '../../src/base/index.js';

t.test('secrets are not logged, by name, at two levels', (t) => {
  const line = {
    password: 'a',
    etcdPassword: 'b',
    settings: { etcdPassword: 'c', endpoint: 'https://one:2379', Token: 'd' },
    NetworkID: 'n',
    missing: undefined,
    none: null,
  };
  const shown = hideSecrets(line);
  t.same(shown, {
    password: '(hidden)',
    etcdPassword: '(hidden)',
    settings: { etcdPassword: '(hidden)', endpoint: 'https://one:2379', Token: '(hidden)' },
    NetworkID: 'n',
    missing: undefined,
    none: null,
  });
  t.equal(line.settings.etcdPassword, 'c', 'the caller keeps his object');
  t.end();
});

t.test('a line without secrets is not copied', (t) => {
  const line = { method: 'NetworkDriver.Join', err: new Error('x'), list: ['password'] };
  t.equal(hideSecrets(line), line);
  t.end();
});
