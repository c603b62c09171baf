import t from 'tap';
import { silentLog } from '../../../src/base/log.js';
import { createKernelNetlink, type KernelEvent } from '../../../src/netlink/index.js';
import { inPrivateNamespace, run } from '../../fixtures/private-namespace.js';
import { until } from '../../fixtures/until.js';

/** More events than any receive buffer holds, while nobody can read them: `run` blocks the loop. */
function flood(first: number): void {
  const lines = `awk 'BEGIN { for (n = 0; n < 20000; n++)
    print "route add blackhole 10.${first}." int(n / 256) "." n % 256 "/32" }'`;
  run('sh', '-c', `${lines} | ip -batch -`);
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('missed events are told, and what comes later is heard again', async (t) => {
    const netlink = createKernelNetlink({ log: silentLog });
    t.teardown(() => netlink.close());
    const events: KernelEvent[] = [];
    netlink.monitor((event) => events.push(event));
    await until(() => events.length > 0, 'the first event');
    t.strictSame(events, [{ type: 'overrun' }], 'which says that listening has begun');
    for (const first of [1, 2]) {
      events.length = 0;
      flood(first);
      await until(() => events.some((event) => event.type === 'overrun'), 'the overrun');
      run('ip', 'route', 'add', 'blackhole', `10.99.${first}.0/24`);
      await until(
        () =>
          events.some(
            (e) => e.type === 'route' && `${e.route.destination}` === `10.99.${first}.0/24`,
          ),
        'an event after it',
      );
    }
    t.equal((await netlink.routes(4)).length, 40_002, 'the table is read whole');
  });

  t.test('a table that changes while it is read', async (t) => {
    const netlink = createKernelNetlink({ log: silentLog });
    t.teardown(() => netlink.close());
    const steady = (await netlink.routes(4)).length;
    const listing = [1, 2, 3, 4].map(() => netlink.routes(4));
    run('ip', 'route', 'add', 'blackhole', '10.100.0.0/24');
    for (const routes of await Promise.all(listing)) t.ok(routes.length >= steady);
    t.equal((await netlink.routes(4)).length, steady + 1);
  });

  t.test('a failing listener does no harm', async (t) => {
    const netlink = createKernelNetlink({ log: silentLog });
    t.teardown(() => netlink.close());
    let calls = 0;
    netlink.monitor(() => {
      calls += 1;
      throw new Error('on purpose');
    });
    await until(() => calls === 1, 'the first event');
    run('ip', 'route', 'add', 'blackhole', '10.101.0.0/24');
    await until(() => calls === 2, 'the second event');
    t.equal(calls, 2);
  });
});
