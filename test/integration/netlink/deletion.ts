import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { silentLog } from '../../../src/base/log.js';
import { createKernelNetlink, type Netlink } from '../../../src/netlink/index.js';
import { faultOf } from '../../fixtures/fault-of.js';
import { makePair } from '../../fixtures/netlink-contract.js';
import { inPrivateNamespace, run } from '../../fixtures/private-namespace.js';

const MAC = 'ee:ee:ee:ee:ee:ee';

interface Pair {
  readonly index: number;
  readonly name: string;
}

function openNetlink(t: Test): Netlink {
  const netlink = createKernelNetlink({ log: silentLog });
  t.teardown(() => netlink.close());
  return netlink;
}

async function makePairs(netlink: Netlink, prefix: string, count: number): Promise<Pair[]> {
  const numbers = Array.from({ length: count }, (_, number) => number);
  return Promise.all(
    numbers.map(async (number) => {
      const host = { name: `${prefix}${number}`, mac: MAC };
      const peer = { name: `p${prefix}${number}` };
      const { hostIndex } = await netlink.createVeth({ host, peer, mtu: 1500 });
      return { index: hostIndex, name: host.name };
    }),
  );
}

async function namesIn(netlink: Netlink): Promise<ReadonlySet<string>> {
  return new Set((await netlink.links()).map((link) => link.name));
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('150 pairs go while new ones come', async (t) => {
    const netlink = openNetlink(t);
    const old = await makePairs(netlink, 'old', 150);
    const stay = await makePairs(netlink, 'stay', 5);
    let deleted = false;
    const deletion = netlink.deleteLinks(old).then(() => (deleted = true));
    const fresh: Pair[] = [];
    while (!deleted) fresh.push(...(await makePairs(netlink, `new${fresh.length}x`, 1)));
    await deletion;
    t.ok(fresh.length > 1, `${fresh.length} pairs were made meanwhile`);
    const names = await namesIn(netlink);
    t.notOk(
      [...names].some((name) => name.includes('old')),
      'all 150 are gone, with their peers',
    );
    t.ok(
      [...stay, ...fresh].every((pair) => names.has(pair.name)),
      'and no other',
    );
    await netlink.deleteLinks([...stay, ...fresh]);
    t.strictSame([...(await namesIn(netlink))], ['lo']);
  });

  t.test('calls at the same time do not mix', async (t) => {
    const netlink = openNetlink(t);
    const pairs = await makePairs(netlink, 'mix', 30);
    await Promise.all([0, 10, 20].map((at) => netlink.deleteLinks(pairs.slice(at, at + 10))));
    t.strictSame([...(await namesIn(netlink))], ['lo']);
  });

  t.test('one that cannot go holds up no other, and is told', async (t) => {
    const netlink = openNetlink(t);
    const pairs = await makePairs(netlink, 'ref', 3);
    const lo = { index: 1, name: 'lo' };
    const fault = await faultOf(netlink.deleteLinks([...pairs.slice(0, 1), lo, ...pairs.slice(1)]));
    t.match(fault, { kind: 'unsupported', message: /link lo was not deleted/ });
    t.strictSame([...(await namesIn(netlink))], ['lo']);
    t.equal((await netlink.linkByName('lo'))?.group, 0, 'and it is out of the group again');
    const pair = await makePair(t, netlink);
    await netlink.deleteLinks([pair]);
    t.equal(await netlink.linkByName(pair.name), undefined);
  });

  t.test('a stranger in our link group stays', async (t) => {
    const netlink = openNetlink(t);
    const [stranger, ...pairs] = await makePairs(netlink, 'str', 4);
    run('ip', 'link', 'set', 'str0', 'group', String(0xca11));
    await netlink.deleteLinks(pairs);
    t.ok(stranger !== undefined && (await namesIn(netlink)).has(stranger.name));
    t.equal((await netlink.links()).length, 3, 'lo and the pair of the stranger');
    if (stranger !== undefined) await netlink.deleteLinks([stranger]);
  });

  t.test('close waits for deletions', async (t) => {
    const netlink = openNetlink(t);
    const pairs = await makePairs(netlink, 'cls', 70);
    const deletion = netlink.deleteLinks(pairs);
    await netlink.close();
    await deletion;
    t.equal(
      readdirSync('/proc/self/net').length > 0 && run('ip', '-o', 'link').split('\n').length,
      2,
    );
  });

  t.test('a thousand cycles leave no descriptor and little memory', async (t) => {
    const cycle = async (netlink: Netlink, count: number): Promise<void> => {
      for (let done = 0; done < count; done += 50) {
        await netlink.deleteLinks(await makePairs(netlink, 'cyc', 50));
        await netlink.routes(4);
      }
    };
    const netlink = openNetlink(t);
    await cycle(netlink, 200);
    const descriptors = readdirSync('/proc/self/fd').length;
    const before = process.memoryUsage().rss;
    await cycle(netlink, 1000);
    t.equal(readdirSync('/proc/self/fd').length, descriptors);
    const grown = (process.memoryUsage().rss - before) / 1024 / 1024;
    t.ok(grown < 40, `grown by ${grown.toFixed(1)} MiB`);
    for (let opened = 0; opened < 50; opened += 1) {
      const other = createKernelNetlink({ log: silentLog });
      await other.links();
      await other.deleteLinks([{ index: 999_999, name: 'absent' }]);
      await other.close();
    }
    t.equal(readdirSync('/proc/self/fd').length, descriptors, 'closing closes every socket');
  });
});
