import t from 'tap';
import { ensureFirewalld } from '../../../src/agent/nat/index.js';
import { Fault } from '../../../src/base/index.js';

interface Kept {
  readonly comment: string;
  readonly handle: number;
}

/** A firewalld table whose chains have these rules; `refusal` is what any change is answered with. */
function fakeTable(chains: Record<string, readonly Kept[]> | undefined, refusal?: string) {
  const applied: string[] = [];
  return {
    applied,
    apply: async (commands: string): Promise<void> => {
      if (refusal !== undefined) throw new Fault('invalid', refusal);
      applied.push(...commands.trim().split('\n'));
    },
    listJson: async (command: string): Promise<unknown> => {
      const chain = command.split(' ').at(-1) ?? '';
      if (chains === undefined) throw new Fault('invalid', 'No such file or directory');
      return { nftables: (chains[chain] ?? []).map((rule) => ({ rule })) };
    },
  };
}

const openings = { 4: [{ match: [], nft: 'udp dport 4789' }] };

t.test('no firewalld', async (t) => {
  t.equal(await ensureFirewalld(fakeTable(undefined), openings, true), 'absent');
});

t.test('what is missing is put first, what is of before goes', async (t) => {
  const stale = { comment: 'calico-libnetwork: meta nfproto ipv4 udp dport 8472', handle: 7 };
  const foreign = { comment: 'theirs', handle: 8 };
  const table = fakeTable({ filter_INPUT: [stale, foreign], filter_FORWARD: [] });
  t.equal(await ensureFirewalld(table, openings, true), 'kept');
  const mark = 'meta mark & 0x10000 == 0x10000 accept comment';
  t.same(table.applied, [
    'delete rule inet firewalld filter_INPUT handle 7',
    `insert rule inet firewalld filter_INPUT meta nfproto ipv4 udp dport 4789 ${mark} "calico-libnetwork: meta nfproto ipv4 udp dport 4789"`,
    `insert rule inet firewalld filter_FORWARD iifname "cali*" ${mark} "calico-libnetwork: iifname cali*"`,
    `insert rule inet firewalld filter_FORWARD oifname "cali*" ${mark} "calico-libnetwork: oifname cali*"`,
  ]);
});

t.test('nothing is closed while it is not known what is wanted', async (t) => {
  const old = { comment: 'calico-libnetwork: meta nfproto ipv4 udp dport 8472', handle: 7 };
  const table = fakeTable({ filter_INPUT: [old], filter_FORWARD: [] });
  t.equal(await ensureFirewalld(table, {}, false), 'kept');
  t.notMatch(table.applied.join(), 'delete');
});

t.test('what is there is left', async (t) => {
  const own = (texts: readonly string[]): Kept[] =>
    texts.map((text, handle) => ({ comment: `calico-libnetwork: ${text}`, handle }));
  const table = fakeTable({
    filter_INPUT: own(['meta nfproto ipv4 udp dport 4789']),
    filter_FORWARD: own(['iifname cali*', 'oifname cali*']),
  });
  t.equal(await ensureFirewalld(table, openings, true), 'kept');
  t.same(table.applied, []);
});

t.test('a table that belongs to firewalld alone is told', async (t) => {
  const table = fakeTable({}, 'Error: Could not process rule: Operation not permitted');
  t.equal(await ensureFirewalld(table, openings, true), 'closed');
  await t.rejects(ensureFirewalld(fakeTable({}, 'syntax error'), openings, true), /syntax/);
});
