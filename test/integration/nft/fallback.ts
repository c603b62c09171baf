import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import t from 'tap';
import { silentLog, type Log } from '../../../src/base/log.js';
import { createKernelNetlink } from '../../../src/netlink/index.js';
import { createNft } from '../../../src/nft/index.js';
import { faultOf } from '../../fixtures/fault-of.js';
import { makePair } from '../../fixtures/netlink-contract.js';
import { inPrivateNamespace, run } from '../../fixtures/private-namespace.js';
import { until } from '../../fixtures/until.js';

/** In this mount namespace koffi's binaries are empty files, as on a platform it does not know. */
function hideKoffi(): void {
  const room = join(dirname(fileURLToPath(import.meta.resolve('koffi'))), '..');
  const binaries = [room, join(room, '..', '@koromix')].flatMap((folder) => binariesIn(folder));
  if (binaries.length === 0) throw new Error(`no binary of koffi was found near ${room}`);
  for (const binary of binaries) run('mount', '--bind', '/dev/null', binary);
}

function binariesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.node') && name.includes('koffi'))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function listeningLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  return { log: pino(stream), lines };
}

await inPrivateNamespace(import.meta.url, () => {
  t.before(hideKoffi);

  t.test('without libnftables the command does it, which is said once', async (t) => {
    const { log, lines } = listeningLog();
    const nft = await createNft({ log });
    t.teardown(() => nft.close());
    t.equal(nft.implementation, 'command');
    await nft.apply('add table inet ours');
    t.equal(run('nft', 'list', 'tables'), 'table inet ours\n');
    t.equal(lines.length, 1);
    t.match(lines[0], /libnftables cannot be used/);
  });

  t.test('with neither it is unavailable, with the remedy', async (t) => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    t.teardown(() => (process.env['PATH'] = path));
    const fault = await faultOf(createNft({ log: silentLog }));
    t.match(fault, { kind: 'unavailable', reason: 'no-nft', message: /install nftables/ });
    t.match(await faultOf(createNft({ log: silentLog, prefer: 'command' })), {
      kind: 'unavailable',
    });
  });

  t.test('monitors tell gaps instead of changes, and say so once', async (t) => {
    const { log, lines } = listeningLog();
    const netlink = createKernelNetlink({ log });
    t.teardown(() => netlink.close());
    const events: string[] = [];
    netlink.monitor((event) => events.push(event.type));
    await until(() => events.length > 2, 'the third try');
    t.strictSame([...new Set(events)], ['overrun']);
    t.equal(lines.length, 1, lines.join(''));
    t.match(lines[0], /kernel events cannot be heard/);
  });

  t.test('links and flows are deleted on the event loop', async (t) => {
    const { log, lines } = listeningLog();
    const netlink = createKernelNetlink({ log });
    t.teardown(() => netlink.close());
    const pairs = [await makePair(t, netlink), await makePair(t, netlink)];
    await netlink.deleteLinks(pairs);
    await netlink.deleteLinks([await makePair(t, netlink)]);
    t.equal((await netlink.links()).length, 1);
    t.equal(lines.length, 1, lines.join(''));
    t.match(lines[0], /deleted on the event loop/);
  });
});
