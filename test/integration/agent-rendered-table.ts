import t from 'tap';
import { exec } from '../../src/base/index.js';
import { busyTable, hostTable } from '../fixtures/busy-table.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';

await inPrivateNamespace(import.meta.url, () => {
  t.test('nft takes what is written for a host with host endpoints', async (t) => {
    const checked = await exec('nft', ['--check', '-f', '-'], { stdin: hostTable().takeFull() });
    t.equal(checked.stderr, '');
    t.equal(checked.status, 0);
  });
  for (const hostReach of ['own', 'all'] as const) {
    t.test(`nft takes what the renderer writes, hosts reach ${hostReach}`, async (t) => {
      const text = busyTable(hostReach).takeFull();
      const checked = await exec('nft', ['--check', '-f', '-'], { stdin: text });
      t.equal(checked.stderr, '');
      t.equal(checked.status, 0);
    });
  }
});
