import { readdirSync } from 'node:fs';
import t from 'tap';
import { silentLog } from '../../../src/base/log.js';
import { createNft } from '../../../src/nft/index.js';
import { inPrivateNamespace, run } from '../../fixtures/private-namespace.js';
import { until } from '../../fixtures/until.js';

const TABLE = 'table inet ours {\n map m { type ifname : verdict; }\n chain c { }\n}\n';

await inPrivateNamespace(import.meta.url, () => {
  t.test('a thousand cycles leave no descriptor and little memory', async (t) => {
    const nft = await createNft({ log: silentLog });
    t.teardown(() => nft.close());
    await nft.apply(TABLE);
    const cycle = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 1) {
        await nft.apply(`add element inet ours m { "cali${done}" : jump c }`);
        await nft.apply(`delete element inet ours m { "cali${done}" : jump c }`);
        if (done % 10 === 0)
          await nft.apply('delete chain inet ours absent').catch(() => undefined);
      }
    };
    await cycle(100);
    const descriptors = readdirSync('/proc/self/fd').length;
    const before = process.memoryUsage().rss;
    await cycle(1000);
    t.equal(readdirSync('/proc/self/fd').length, descriptors);
    const grown = (process.memoryUsage().rss - before) / 1024 / 1024;
    t.ok(grown < 40, `grown by ${grown.toFixed(1)} MiB`);
  });

  t.test('two in one process hear each other as their own', async (t) => {
    const one = await createNft({ log: silentLog });
    const two = await createNft({ log: silentLog });
    t.teardown(() => Promise.all([one.close(), two.close()]));
    let heard = 0;
    one.monitor(() => (heard += 1));
    await until(() => heard === 1, 'listening to begin');
    await Promise.all([one.apply('add table inet a'), two.apply('add table inet b')]);
    run('nft', 'add', 'table', 'inet', 'foreign');
    await until(() => heard > 1, 'the foreign change');
    t.equal(heard, 2);
  });

  t.test('a process without permission is told so', async (t) => {
    const room = new URL('../../../src/nft/index.ts', import.meta.url).href;
    const base = new URL('../../../src/base/index.ts', import.meta.url).href;
    const script = `
      import { createNft } from '${room}';
      import { silentLog } from '${base}';
      const kinds = [];
      for (const prefer of ['library', 'command']) {
        const nft = await createNft({ log: silentLog, prefer });
        await nft.apply('add table inet ours').catch((error) => kinds.push(nft.implementation, error.kind));
        await nft.close();
      }
      console.log(JSON.stringify(kinds));`;
    const dropped = [
      '--bounding-set',
      '-all',
      '--inh-caps',
      '-all',
      '--reuid',
      '65534',
      '--clear-groups',
    ];
    const node = [process.execPath, '--import=tsx', '--input-type=module', '--eval', script];
    t.strictSame(JSON.parse(run('setpriv', ...dropped, '--', ...node)), [
      'library',
      'unavailable',
      'command',
      'unavailable',
    ]);
  });

  t.test('a process that leaves without closing ends well', async (t) => {
    const room = new URL('../../../src/nft/index.ts', import.meta.url).href;
    const base = new URL('../../../src/base/index.ts', import.meta.url).href;
    const script = `
      import { createNft } from '${room}';
      import { silentLog } from '${base}';
      const nft = await createNft({ log: silentLog });
      nft.monitor(() => undefined);
      await nft.apply('add table inet left');
      await nft.apply('add rule inet left nowhere drop').catch(() => undefined);
      console.log('leaving');`;
    const node = ['--import=tsx', '--input-type=module', '--eval', script];
    t.equal(run(process.execPath, ...node), 'leaving\n');
    t.match(run('nft', 'list', 'tables'), 'inet left');
  });
});
