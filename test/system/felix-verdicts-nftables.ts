import t from 'tap';
import { compareFelix } from '../fixtures/compare-felix.js';
import { felixObstacle } from '../fixtures/felix-world.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

await inPrivateNamespace(
  import.meta.url,
  () => {
    const options = { skip: felixObstacle ?? false, timeout: 400_000 };
    t.test('the real Felix by nftables', options, (t) => compareFelix(t, 'nftables'));
  },
  { run: true, processes: true, timeoutMs: 410_000 },
);
