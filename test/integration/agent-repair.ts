import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import {
  attach,
  attachOutside,
  clusterStore,
  packetsOf,
  putProfile,
  startAgent,
} from '../fixtures/agent-host.js';
import { profile } from '../fixtures/agent-facts.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';
import { networkProfile } from '../../src/model/v3/index.js';

const pools = { '10.20.0.0/16': { natOutgoing: true } };
const tableText = (): string => {
  try {
    return run('nft', 'list', 'table', 'inet', 'calico-libnetwork');
  } catch {
    return '';
  }
};

await inPrivateNamespace(import.meta.url, () => {
  t.test('what others break comes back, and at rest nothing is written', async (t) => {
    const store = clusterStore(pools, ['net1', 'net2']);
    const outside = await attachOutside(t);
    const host = await startAgent(t, store, { settings: { compareEveryMs: 300 } });
    const { agent, writes } = host;
    const a = await attach(t, host, store, {
      id: 'a',
      network: 'net1',
      addresses: ['10.20.0.1', 'fd00:20::1'],
    });
    const b = await attach(t, host, store, { id: 'b', network: 'net1', addresses: ['10.20.0.2'] });
    const applied = (part: string): number => agent.status().parts[part]?.applied ?? 0;
    const compares = (): number => applied('compare');
    const settled = async (): Promise<void> => {
      const from = compares();
      await until(
        () => compares() >= from + 2 && agent.status().state === 'in-sync',
        'two comparisons',
      );
    };

    await t.test('idle means no write at all', async (t) => {
      await settled();
      writes.length = 0;
      const events = await monitored(() => settled());
      t.same(writes, []);
      t.equal(events, '', 'no route changed');
    });

    await t.test('flush ruleset', async (t) => {
      const before = performance.now();
      run('nft', 'flush', 'ruleset');
      await until(() => tableText().includes('calia'), 'the table');
      await until(() => agent.status().state === 'in-sync', 'its opening');
      t.comment(`back after ${Math.round(performance.now() - before)} ms, two processes included`);
      t.ok(a.namespace.ping('10.20.0.2'));
      t.notOk(outside.ping('10.20.0.1'));
    });

    await t.test('one chain emptied, one element removed', async (t) => {
      run('nft', 'flush', 'chain', 'inet', 'calico-libnetwork', 'to-wl');
      await until(() => tableText().includes('oifname vmap @to-wl'), 'the chain');
      run('nft', 'delete', 'element', 'inet', 'calico-libnetwork', 'from-wl', '{ "calia" }');
      await until(() => tableText().split('"calia" : goto').length === 3, 'the element');
      await settled();
      writes.length = 0;
      run('nft', 'add', 'table', 'inet', 'stranger');
      run('nft', 'delete', 'table', 'inet', 'stranger');
      await settled();
      t.same(writes, [], 'the table of another program is none of our business');
    });

    await t.test('routes', async (t) => {
      for (const [family, route] of [
        ['-4', '10.20.0.1/32'],
        ['-6', 'fd00:20::1/128'],
        ['-4', '169.254.1.0/24'],
      ] as const) {
        const before = performance.now();
        run('ip', family, 'route', 'del', ...route.split(' '));
        await until(() => run('ip', family, 'route', 'show', route) !== '', route, 1000);
        t.comment(`${route} back after ${Math.round(performance.now() - before)} ms`);
      }
      run('ip', 'route', 'replace', '10.20.0.1/32', 'dev', 'eth0');
      await until(
        () => run('ip', 'route', 'show', '10.20.0.1').includes('calia'),
        'the right device',
        1000,
      );
      run('ip', 'route', 'add', '10.77.0.0/16', 'dev', 'calia', 'proto', 'static');
      await until(
        () => run('ip', 'route', 'show', '10.77.0.0/16') === '',
        'the stranger to go',
        1000,
      );
      run('ip', 'route', 'add', '10.78.0.0/16', 'dev', 'eth0', 'proto', 'static');
      run('ip', 'route', 'add', '10.79.0.0/16', 'dev', 'eth0', 'proto', '186');
      await settled();
      t.match(
        run('ip', 'route'),
        /10\.78\.0\.0\/16.*\n.*10\.79\.0\.0\/16/,
        'routes of others elsewhere stay',
      );
      t.ok(a.namespace.ping('10.20.0.2'));
    });

    await t.test('an interface that goes down and up', async (t) => {
      run('ip', 'link', 'set', 'calib', 'down');
      await until(() => agent.status().routes.down.length === 1, 'the status');
      t.match(agent.status().decisions, [{ reason: 'interface-down', subject: 'b' }]);
      run('ip', 'link', 'set', 'calib', 'up');
      await until(() => run('ip', 'route', 'show', '10.20.0.2') !== '', 'its route', 1000);
      await until(() => b.namespace.ping('10.20.0.1'), 'its packets');
    });

    await t.test('settings of the host and of an interface', async () => {
      const files = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv4/conf/calia/proxy_arp'];
      for (const file of files) {
        writeFileSync(file, '0');
        await until(() => readFileSync(file, 'utf8').trim() === '1', file, 3000);
      }
    });

    await t.test('a profile that changes, goes, and comes back', async (t) => {
      putProfile(store, { ...networkProfile('net1'), ingress: [{ action: 'Deny' }] });
      await until(() => !a.namespace.ping('10.20.0.2'), 'the deny');
      t.ok((await packetsOf(host.nft, 'net1 ingress rule 1')) > 0, 'by that rule');
      store.delete('/calico/resources/v3/projectcalico.org/profiles/net1');
      await until(() => agent.status().decisions.length > 0, 'the decision');
      t.match(agent.status().decisions, [
        { reason: 'profile-fails-closed', subject: 'net1', details: 'profile net1 does not exist' },
      ]);
      await until(() => !a.namespace.ping('192.0.2.2'), 'the end of what the profile let out');
      putProfile(store, networkProfile('net1'));
      await until(() => a.namespace.ping('10.20.0.2'), 'the network');
    });

    await t.test(
      'a profile that nothing can be made of admits nothing, and only that one',
      async (t) => {
        putProfile(store, profile('net2', [{ action: 'Allow', http: { methods: ['GET'] } }], []));
        await attach(t, host, store, { id: 'c', network: 'net2', addresses: ['10.20.0.3'] });
        t.match(agent.status().decisions, [
          { reason: 'profile-fails-closed', subject: 'net2', details: /http/ },
        ]);
        t.ok(a.namespace.ping('10.20.0.2'));
      },
    );

    await t.test('a lost watch is healed by what differs', async (t) => {
      await settled();
      writes.length = 0;
      const { replaced } = agent.status().table;
      store.loseWatches();
      putProfile(store, { ...networkProfile('net1'), egress: [{ action: 'Deny' }] });
      await until(() => tableText().includes('drop comment "net1 egress rule 1"'), 'the change');
      t.equal(agent.status().table.replaced, replaced);
    });
  });
});

/** What `ip monitor route` printed while the work ran. */
async function monitored(work: () => Promise<void>): Promise<string> {
  const monitor = spawn('ip', ['monitor', 'route'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  monitor.stdout.on('data', (chunk) => (text += String(chunk)));
  await work();
  monitor.kill();
  await once(monitor, 'close');
  return text;
}
