import t from 'tap';
import {
  ensureForwardAccepts,
  ensureInputAccepts,
  type Run,
} from '../../../src/agent/nat/index.js';
import { exec, Fault } from '../../../src/base/index.js';

/** An iptables that answers by the beginning of its arguments; everything else succeeds. */
function fakeIptables(
  answers: Record<string, { status: number; stdout?: string; stderr?: string }>,
): {
  run: Run;
  calls: string[];
} {
  const calls: string[] = [];
  const run: Run = async (program, args) => {
    const call = [program, ...args.slice(2)].join(' ');
    calls.push(call);
    const found = Object.entries(answers).find(([start]) => call.startsWith(start));
    return { status: 0, stdout: '', stderr: '', ...found?.[1] };
  };
  return { run, calls };
}

t.test('both accepts are there: three looks, no write', async (t) => {
  const { run, calls } = fakeIptables({});
  t.equal(await ensureForwardAccepts(4, undefined, run), 'docker-user');
  t.same(
    calls.map((call) => call.split(' ').slice(0, 3).join(' ')),
    ['iptables -S DOCKER-USER', 'iptables -C DOCKER-USER', 'iptables -C DOCKER-USER'],
  );
});

t.test('missing ones are inserted, as argument lists', async (t) => {
  const { run, calls } = fakeIptables({ 'ip6tables -C': { status: 1 } });
  t.equal(await ensureForwardAccepts(6, undefined, run), 'docker-user');
  const rule = '-m mark --mark 0x10000/0x10000 -m comment --comment calico-libnetwork -j ACCEPT';
  t.same(
    calls.filter((call) => call.includes(' -I ')),
    [`ip6tables -I DOCKER-USER 1 -i cali+ ${rule}`, `ip6tables -I DOCKER-USER 1 -o cali+ ${rule}`],
  );
});

t.test('without DOCKER-USER only a FORWARD that drops needs them', async (t) => {
  const absent = { status: 1, stderr: 'iptables: No chain/target/match by that name.' };
  const open = fakeIptables({
    'iptables -S DOCKER-USER': absent,
    'iptables -S FORWARD': { status: 0, stdout: '-P FORWARD ACCEPT\n' },
  });
  t.equal(await ensureForwardAccepts(4, undefined, open.run), 'not-needed');
  const shut = fakeIptables({
    'iptables -S DOCKER-USER': absent,
    'iptables -S FORWARD': { status: 0, stdout: '-P FORWARD DROP\n' },
    'iptables -C': { status: 1 },
  });
  t.equal(await ensureForwardAccepts(4, undefined, shut.run), 'forward');
  t.match(shut.calls.at(-1), 'iptables -I FORWARD 1 -o cali+');
});

t.test('a host without iptables needs nothing', async (t) => {
  const run: Run = (_, args, options) => exec('no-such-iptables', args, options);
  t.equal(await ensureForwardAccepts(4, undefined, run), 'no-iptables');
});

t.test('what iptables refuses is told', async (t) => {
  const { run } = fakeIptables({
    'iptables -C': { status: 1 },
    'iptables -I': { status: 4, stderr: 'another app holds the lock\n' },
  });
  await t.rejects(ensureForwardAccepts(4, undefined, run), {
    message: 'iptables refused the accepts for container traffic: another app holds the lock',
  });
  const late: Run = () =>
    Promise.reject(new Fault('timeout', 'iptables did not finish within its bound'));
  await t.rejects(ensureForwardAccepts(4, undefined, late), { message: /within its bound/ });
});

t.test('an INPUT chain that may drop gets one accept per opening, first', async (t) => {
  const openings = [
    { match: ['-p', 'udp', '--dport', '4789'], nft: 'udp dport 4789' },
    { match: ['-p', '4'], nft: 'meta l4proto 4' },
  ];
  const open = fakeIptables({ 'iptables -S INPUT': { status: 0, stdout: '-P INPUT ACCEPT\n' } });
  t.equal(
    await ensureInputAccepts(4, { openings, close: true }, undefined, open.run),
    'not-needed',
  );
  const shut = fakeIptables({
    'iptables -S INPUT': { status: 0, stdout: '-P INPUT DROP\n-A INPUT -p tcp -j ACCEPT\n' },
    'iptables -C': { status: 1 },
  });
  t.equal(await ensureInputAccepts(4, { openings, close: true }, undefined, shut.run), 'kept');
  const rule = '-m mark --mark 0x10000/0x10000 -m comment --comment calico-libnetwork -j ACCEPT';
  t.same(
    shut.calls.filter((call) => call.includes(' -I ')),
    [`iptables -I INPUT 1 -p udp --dport 4789 ${rule}`, `iptables -I INPUT 1 -p 4 ${rule}`],
  );
  const none: Run = (_, args, options) => exec('no-such-iptables', args, options);
  t.equal(await ensureInputAccepts(4, { openings, close: true }, undefined, none), 'no-iptables');
});

t.test('accepts of ours for what is no longer wanted go out of INPUT', async (t) => {
  const ours = '-m mark --mark 0x10000/0x10000 -m comment --comment calico-libnetwork -j ACCEPT';
  const rules = [
    `-p udp -m udp --dport 4789 ${ours}`,
    `-p tcp -m tcp --dport 179 ${ours}`,
    `-p ipencap ${ours}`,
    '-p tcp -m tcp --dport 22 -m comment --comment theirs -j ACCEPT',
  ];
  const listed = ['-P INPUT DROP', ...rules.map((rule) => `-A INPUT ${rule}`), ''].join('\n');
  const deleted = async (
    openings: readonly { match: string[]; nft: string }[],
    close: boolean,
  ): Promise<string[]> => {
    const { run, calls } = fakeIptables({ 'iptables -S INPUT': { status: 0, stdout: listed } });
    await ensureInputAccepts(4, { openings, close }, undefined, run);
    return calls.filter((call) => call.includes(' -D '));
  };
  const bgp = { match: ['-p', 'tcp', '--dport', '1790'], nft: 'tcp dport 1790' };
  const ipip = { match: ['-p', '4'], nft: 'meta l4proto 4' };
  t.same(await deleted([bgp, ipip], true), [
    `iptables -D INPUT ${rules[0]}`,
    `iptables -D INPUT ${rules[1]}`,
  ]);
  t.equal((await deleted([], true)).length, 3);
  t.same(await deleted([], false), [], 'not before it is known what is wanted');
  const { run } = fakeIptables({
    'iptables -S INPUT': { status: 0, stdout: listed },
    'iptables -D': { status: 4, stderr: 'another app holds the lock\n' },
  });
  await t.rejects(ensureInputAccepts(4, { openings: [], close: true }, undefined, run), /lock/);
});
