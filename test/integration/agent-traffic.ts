import t from 'tap';
import {
  attach,
  attachOutside,
  clusterStore,
  packetsOf,
  putEndpoint,
  putPool,
  startAgent,
} from '../fixtures/agent-host.js';
import { Address } from '../../src/model/index.js';
import { until } from '../fixtures/until.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';

const pools = { '10.20.0.0/16': { natOutgoing: true }, '10.30.0.0/16': {}, 'fd00:20::/48': {} };
const NO_PROFILE = 'no profile matched';
const SPOOFED = 'source address not of this endpoint';

await inPrivateNamespace(import.meta.url, () => {
  t.test('real packets', async (t) => {
    const store = clusterStore(pools, ['net1', 'net2']);
    const outside = await attachOutside(t);
    const host = await startAgent(t, store);
    const { nft } = host;
    const a = await attach(t, host, store, {
      id: 'a',
      network: 'net1',
      addresses: ['10.20.0.0', 'fd00:20::a'],
    });
    const b = await attach(t, host, store, {
      id: 'b',
      network: 'net1',
      addresses: ['10.20.0.2', 'fd00:20::b'],
    });
    const c = await attach(t, host, store, {
      id: 'c',
      network: 'net2',
      addresses: ['10.30.0.3', 'fd00:20::c'],
    });

    await t.test('same network talks', async (t) => {
      t.ok(a.namespace.ping('10.20.0.2'));
      t.ok(b.namespace.ping('10.20.0.0'), 'the .0 address is one like any other');
      t.ok(a.namespace.ping('fd00:20::b'), 'IPv6 too');
      const one = a.namespace.run('ping', '-n', '-c', '1', '10.20.0.2');
      t.match(one, 'ttl=63', 'one hop: the host');
    });

    await t.test('different networks do not: dropped by the profile, on the way in', async (t) => {
      const before = await packetsOf(nft, NO_PROFILE);
      const seen = await c.namespace.capture('cali0', 'icmp', () =>
        t.notOk(a.namespace.ping('10.30.0.3')),
      );
      t.same(
        seen.filter((line) => line !== ''),
        [],
        'nothing arrived',
      );
      t.ok((await packetsOf(nft, NO_PROFILE)) > before, 'the deny counted it');
      t.notOk(a.namespace.ping('fd00:20::c'));
      t.notOk(c.namespace.ping('10.20.0.0'));
    });

    await t.test('a host reaches its own containers, and they reach it', async (t) => {
      for (const address of ['10.20.0.0', '10.30.0.3', 'fd00:20::a']) {
        t.match(run('ping', '-n', '-c', '1', '-W', '1', address), '1 received', address);
      }
      t.ok(a.namespace.ping('192.0.2.1'));
      t.ok(c.namespace.ping('192.0.2.1'));
      t.ok(a.namespace.ping('2001:db8::1'));
    });

    await t.test('containers reach other hosts, which do not reach them', async (t) => {
      outside.run('ip', 'route', 'add', '10.20.0.0/16', 'via', '192.0.2.1');
      outside.run('ip', 'route', 'add', '10.30.0.0/16', 'via', '192.0.2.1');
      outside.run('ip', 'route', 'add', 'fd00:20::/48', 'via', '2001:db8::1');
      const seen = await outside.capture('eth0', 'icmp', () => t.ok(a.namespace.ping('192.0.2.2')));
      t.match(seen[0], 'IP 192.0.2.1 > 192.0.2.2', 'natOutgoing: as the host');
      const plain = await outside.capture('eth0', 'icmp', () =>
        t.ok(c.namespace.ping('192.0.2.2')),
      );
      t.match(plain[0], 'IP 10.30.0.3 > 192.0.2.2', 'no natOutgoing: as itself');
      t.ok(c.namespace.ping('2001:db8::2'));
      const before = await packetsOf(nft, NO_PROFILE);
      t.notOk(outside.ping('10.20.0.0'));
      t.notOk(outside.ping('10.30.0.3'));
      t.notOk(outside.ping('fd00:20::a'));
      t.ok((await packetsOf(nft, NO_PROFILE)) >= before + 3);
    });

    await t.test(
      'the first IPv6 pool with natOutgoing brings its masquerade, the last takes it',
      async (t) => {
        const chain = (): string =>
          run('nft', 'list', 'chain', 'inet', 'calico-libnetwork', 'nat-post');
        t.notMatch(chain(), /ip6 saddr/);
        const natOutgoing = (on: boolean): void =>
          putPool(store, 'fd00:20::/48', { natOutgoing: on });
        natOutgoing(true);
        await until(() => chain().includes('ip6 saddr @masq6'), 'the rule');
        const seen = await outside.capture('eth0', 'icmp6', () =>
          t.ok(a.namespace.ping('2001:db8::2')),
        );
        t.match(seen.join('\n'), '2001:db8::1 > 2001:db8::2', 'as the host');
        natOutgoing(false);
        await until(() => !chain().includes('ip6 saddr'), 'its end');
        t.match(chain(), /ip saddr @masq4/, 'the other stays');
      },
    );

    await t.test(
      'a container of the network on another host is let in, by the watch',
      async (t) => {
        outside.run('ip', 'addr', 'add', '10.20.7.7/32', 'dev', 'lo');
        run('ip', 'route', 'add', '10.20.7.7/32', 'via', '192.0.2.2');
        t.notOk(outside.ping('10.20.0.0', '-I', '10.20.7.7'));
        putEndpoint(store, {
          endpoint: 'far',
          node: 'node2',
          profiles: ['net1'],
          addresses: [Address.parse('10.20.7.7')],
        });
        await until(() => outside.ping('10.20.0.0', '-I', '10.20.7.7'), 'the ping');
        t.notOk(outside.ping('10.30.0.3', '-I', '10.20.7.7'), 'not into the other network');
      },
    );

    await t.test('forged sources are dropped before connection tracking', async (t) => {
      const before = await packetsOf(nft, SPOOFED);
      a.namespace.run('ip', 'addr', 'add', '10.20.0.99/32', 'dev', 'cali0');
      a.namespace.run('ip', 'addr', 'add', 'fd00:20::99/128', 'dev', 'cali0', 'nodad');
      t.notOk(a.namespace.ping('10.20.0.2', '-I', '10.20.0.99'));
      t.notOk(a.namespace.ping('fd00:20::b', '-I', 'fd00:20::99'));
      t.notOk(a.namespace.ping('192.0.2.1', '-I', '10.20.0.99'));
      t.ok((await packetsOf(nft, SPOOFED)) >= before + 3);
      t.notMatch(run('conntrack', '-L'), '10.20.0.99');
    });

    await t.test('encapsulated packets from a container are dropped', async (t) => {
      const vxlan = await packetsOf(nft, 'VXLAN from a container');
      a.namespace.run('bash', '-c', 'echo x > /dev/udp/192.0.2.2/4789');
      t.ok((await packetsOf(nft, 'VXLAN from a container')) > vxlan);
    });

    await t.test('two networks on one container', async (t) => {
      const second = await attach(t, host, store, {
        id: 'a2',
        network: 'net2',
        addresses: ['10.30.0.4'],
        into: a.namespace,
      });
      // To the second network through the first one's interface, and the other way round.
      t.ok(c.namespace.ping('10.30.0.4'), 'the reply leaves by the first network');
      t.ok(
        a.namespace.ping('10.20.0.2', '-I', '10.30.0.4') === false,
        'net1 does not know that address',
      );
      a.namespace.run(
        'ip',
        'route',
        'add',
        '10.30.0.0/16',
        'via',
        '169.254.1.2',
        'dev',
        'cali1',
        'onlink',
      );
      t.ok(a.namespace.ping('10.30.0.3', '-I', '10.30.0.4'));
      await host.agent.withdraw(second.endpoint.id);
      t.notOk(c.namespace.ping('10.30.0.4'));
      t.ok(a.namespace.ping('10.20.0.2'), 'the first network goes on');
    });

    await t.test('an unknown cali interface is shut', async (t) => {
      run('ip', 'link', 'add', 'calistranger', 'type', 'veth', 'peer', 'name', 'tempstranger');
      run('ip', 'link', 'set', 'calistranger', 'up');
      run('ip', 'route', 'add', '10.20.0.50/32', 'dev', 'calistranger', 'proto', 'static');
      const before = await packetsOf(nft, 'unknown workload interface');
      t.notOk(outside.ping('10.20.0.50'));
      t.ok((await packetsOf(nft, 'unknown workload interface')) > before);
      run('ip', 'link', 'del', 'calistranger');
    });
  });
});
