import t from 'tap';
import { createNetworkNamespace } from '../fixtures/network-namespace.js';
import { inPrivateNamespace, networkNamespace, run } from '../fixtures/private-namespace.js';

await inPrivateNamespace(import.meta.url, () => {
  t.test('the body runs in a namespace with nothing but lo, which is up', async (t) => {
    t.equal(run('ip', '-o', 'link').trim().split('\n').length, 1);
    t.match(run('ip', '-o', 'link', 'show', 'lo'), /LOOPBACK,UP/);
    t.not(networkNamespace(), process.env['CALICO_TEST_OUTER_NAMESPACE']);
  });

  t.test('namespaces of the test reach each other and vanish with it', async (t) => {
    let pid = 0;
    await t.test('two hosts', async (t) => {
      const one = await createNetworkNamespace(t, 'one');
      const two = await createNetworkNamespace(t, 'two');
      pid = one.pid;
      one.connect(
        two,
        { name: 'left', addresses: ['192.0.2.1/30', '2001:db8::1/64'] },
        { name: 'right', as: 'eth0', addresses: ['192.0.2.2/30', '2001:db8::2/64'] },
      );
      t.ok(one.ping('192.0.2.2'));
      t.ok(one.ping('2001:db8::2'));
      t.notOk(one.ping('192.0.2.3'), 'nobody has this address');
      const seen = await two.capture('eth0', 'icmp', () => one.ping('192.0.2.2'));
      t.match(seen.join('\n'), /192\.0\.2\.1 > 192\.0\.2\.2: ICMP echo request/);
    });
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'the holder has ended');
  });

  t.test('a link moves in under a new name, with a route', async (t) => {
    const box = await createNetworkNamespace(t, 'box');
    run('ip', 'link', 'add', 'outside', 'type', 'veth', 'peer', 'name', 'inside');
    t.teardown(() => run('ip', 'link', 'del', 'outside'));
    run('ip', 'link', 'set', 'outside', 'up');
    run('ip', 'address', 'add', '192.0.2.254/24', 'dev', 'outside');
    box.take('inside', {
      as: 'cali0',
      addresses: ['192.0.2.9/32'],
      routes: ['192.0.2.254 dev cali0', 'default via 192.0.2.254'],
    });
    t.ok(box.ping('192.0.2.254'));
  });

  t.test('a program that fails tells why', async (t) => {
    t.throws(() => run('ip', 'link', 'show', 'nowhere'), /nowhere.*does not exist/);
  });
});
