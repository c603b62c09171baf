import t from 'tap';
import { renderNat } from '../../../src/agent/nat/index.js';
import { pool } from '../../fixtures/agent-facts.js';

const keysOf = (pools: Parameters<typeof renderNat>[0]): Record<string, readonly string[]> =>
  Object.fromEntries(renderNat(pools).sets.map(({ name, keys }) => [name, keys]));

t.test('which pools are masqueraded, and towards where not', async (t) => {
  t.same(
    keysOf([
      pool('10.2.0.0/16', { natOutgoing: true }),
      pool('10.1.0.0/16', { natOutgoing: true, disabled: true }),
      pool('10.3.0.0/16'),
      pool('10.4.0.0/16', { natOutgoing: true, allowedUses: ['LoadBalancer'] }),
      pool('10.5.0.0/16', { natOutgoing: true, allowedUses: ['Tunnel'] }),
      pool('fd00::/48'),
    ]),
    {
      pools4: ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16', '10.5.0.0/16'],
      masq4: ['10.1.0.0/16', '10.2.0.0/16', '10.5.0.0/16'],
      pools6: ['fd00::/48'],
      masq6: [],
    },
  );
});

t.test('members never overlap, and none is everything', async (t) => {
  t.same(keysOf([pool('10.0.0.0/8'), pool('10.2.0.0/16'), pool('11.0.0.0/8')])['pools4'], [
    '10.0.0.0/8',
    '11.0.0.0/8',
  ]);
  t.same(keysOf([pool('0.0.0.0/0'), pool('10.2.0.0/16')])['pools4'], ['0.0.0.0/1', '128.0.0.0/1']);
});

t.test('the masquerade is there only while a pool wants it', async (t) => {
  const rules = (...pools: Parameters<typeof pool>[]): readonly string[] =>
    renderNat(pools.map((one) => pool(...one))).chains.flatMap((chain) => chain.rules);
  t.same(rules(['10.1.0.0/16'], ['fd00::/48']), []);
  const [only, ...more] = rules(['10.1.0.0/16'], ['fd00::/48', { natOutgoing: true }]);
  t.match(only, /^ip6 saddr @masq6 .* masquerade/);
  t.same(more, []);
});
