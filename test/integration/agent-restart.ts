import { once } from 'node:events';
import t from 'tap';
import { LAYOUT_CHAIN } from '../../src/agent/policy/index.js';
import { networkProfile } from '../../src/model/v3/index.js';
import { attach, clusterStore, packetsOf, putProfile, startAgent } from '../fixtures/agent-host.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';

const pools = { '10.20.0.0/16': { natOutgoing: true } };
const tableText = (): string =>
  run('nft', 'list', 'table', 'inet', 'calico-libnetwork').replaceAll(/packets \d+ bytes \d+/g, '');

await inPrivateNamespace(import.meta.url, () => {
  t.test('restarts cost no packet and no write of a route', async (t) => {
    const store = clusterStore(pools, ['net1', 'net2']);
    const first = await startAgent(t, store);
    const a = await attach(t, first, store, {
      id: 'a',
      network: 'net1',
      addresses: ['10.20.0.1', 'fd00:20::1'],
    });
    const b = await attach(t, first, store, { id: 'b', network: 'net1', addresses: ['10.20.0.2'] });
    const restored = [a.endpoint, b.endpoint];
    const ping = a.namespace.start('ping', '-n', '-i', '0.002', '-q', '10.20.0.2');
    let report = '';
    ping.stdout?.on('data', (chunk) => (report += String(chunk)));
    await first.stop();
    const left = tableText();

    await t.test('before the store answers, what runs is left alone', async (t) => {
      let answer = (): void => undefined;
      const answered = new Promise<void>((resolve) => (answer = resolve));
      const list = store.list.bind(store);
      store.list = async (...args) => {
        await answered;
        return list(...args);
      };
      const host = await startAgent(t, store, { waits: false, restored });
      t.equal(host.agent.status().state, 'waiting-for-store');
      t.equal(host.agent.status().table.state, 'added-to');
      t.same(host.writes, [], 'nothing was written');
      t.equal(tableText(), left);

      host.agent.learnProfile(networkProfile('net1'));
      const c = await attach(t, host, store, {
        id: 'c',
        network: 'net1',
        addresses: ['10.20.0.3'],
      });
      t.notOk(c.namespace.ping('10.20.0.2'), 'a policy that is not known yet may forbid it');
      t.notOk(a.namespace.ping('10.20.0.3'));
      await host.agent.withdraw('c');
      t.notOk(a.namespace.ping('10.20.0.3'));
      t.equal(tableText().includes('calic"'), false);

      const d = await attach(t, host, store, {
        id: 'd',
        network: 'net1',
        addresses: ['10.20.0.4'],
      });
      store.list = list;
      answer();
      await host.agent.synced(AbortSignal.timeout(10_000));
      t.ok(d.namespace.ping('10.20.0.2'), 'open as soon as they are known');
      await host.agent.withdraw('d');
      // Their interfaces go a little later than their namespaces.
      for (const { key } of [c, d]) store.delete(key);
      await until(() => host.agent.status().state === 'in-sync', 'the agent to be in sync');
      t.equal(host.agent.status().table.replaced, 1, 'the table was replaced once');
      await host.stop();
    });

    await t.test('a restart with a store', async (t) => {
      const host = await startAgent(t, store, { restored });
      t.same(host.writes, []);
      t.equal(tableText().split('goto fl-').length, 3);
      await host.stop();
    });

    await t.test('a driver that lost its records: the store and the interfaces tell', async (t) => {
      const host = await startAgent(t, store, { restored: [] });
      t.same(
        host.writes.filter((write) => !write.startsWith('apply')),
        [],
      );
      t.match(host.agent.status().decisions, [
        { reason: 'endpoint-adopted', subject: 'a' },
        { reason: 'endpoint-adopted', subject: 'b' },
      ]);
      await host.stop();
    });

    await t.test('what is gone from the host is gone from the kernel', async (t) => {
      store.delete(b.key);
      run('ip', 'route', 'add', '10.20.0.9/32', 'dev', 'calia', 'proto', '80');
      const host = await startAgent(t, store, { restored: [a.endpoint, b.endpoint] });
      await until(() => run('ip', 'route', 'show', '10.20.0.9') === '', 'the left-over route');
      t.match(run('ip', 'route', 'show', '10.20.0.2'), 'calib', 'the driver says that b lives');
      await host.stop();
    });

    await t.test('a table of another layout is kept until everything is known', async (t) => {
      run('nft', 'add', 'chain', 'inet', 'calico-libnetwork', 'layout-1');
      run('nft', 'delete', 'chain', 'inet', 'calico-libnetwork', LAYOUT_CHAIN);
      const host = await startAgent(t, store, { restored });
      t.equal(host.agent.status().table.state, 'known');
      t.notMatch(tableText(), 'layout-1');
      await host.stop();
    });

    ping.kill('SIGINT');
    await once(ping, 'close');
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(report) ?? [];
    t.ok(Number(sent) > 100, report);
    // The last request may still be on its way.
    t.ok(Number(sent) - Number(received) <= 1, report);
    putProfile(store, networkProfile('net1'));
  });

  t.test('a host without a table gets one at once, also without a store', async (t) => {
    run('nft', 'flush', 'ruleset');
    const store = clusterStore(pools, []);
    store.list = () => new Promise(() => undefined);
    const host = await startAgent(t, store, { waits: false });
    t.match(tableText(), 'unknown workload interface');
    host.agent.learnProfile(networkProfile('net1'));
    const a = await attach(t, host, store, { id: 'd', network: 'net1', addresses: ['10.20.0.1'] });
    const b = await attach(t, host, store, { id: 'e', network: 'net1', addresses: ['10.20.0.2'] });
    const waiting = 'policies are not known yet';
    const before = await packetsOf(host.nft, waiting);
    t.notOk(a.namespace.ping('10.20.0.2'), 'shut: no rule of a policy is in');
    t.notOk(b.namespace.ping('10.20.0.1'));
    t.ok((await packetsOf(host.nft, waiting)) >= before + 2);
  });
});
