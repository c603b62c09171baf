import t from 'tap';
import { attach, attachOutside, clusterStore, startAgent } from '../fixtures/agent-host.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';
import { exec } from '../../src/base/index.js';

const pools = { '10.20.0.0/16': { natOutgoing: true } };
const rules = (chain: string): string => run('iptables', '-S', chain);

await inPrivateNamespace(import.meta.url, () => {
  t.test('a FORWARD chain that drops', async (t) => {
    run('iptables', '-P', 'FORWARD', 'DROP');
    run('ip6tables', '-P', 'FORWARD', 'DROP');
    run('iptables', '-N', 'DOCKER-USER');
    run('iptables', '-A', 'DOCKER-USER', '-j', 'RETURN');
    run('iptables', '-A', 'FORWARD', '-j', 'DOCKER-USER');
    const store = clusterStore(pools, ['net1', 'net2']);
    const outside = await attachOutside(t);
    const host = await startAgent(t, store);
    const { agent } = host;
    const a = await attach(t, host, store, { id: 'a', network: 'net1', addresses: ['10.20.0.1'] });
    await attach(t, host, store, { id: 'b', network: 'net1', addresses: ['10.20.0.2'] });
    const c = await attach(t, host, store, { id: 'c', network: 'net2', addresses: ['10.20.0.3'] });
    await until(() => agent.status().forward[6] !== undefined, 'the first look');
    t.same(agent.status().forward, { 4: 'docker-user', 6: 'forward' });

    t.ok(a.namespace.ping('10.20.0.2'), 'accepted traffic passes');
    t.ok(a.namespace.ping('192.0.2.2'));
    t.notOk(c.namespace.ping('10.20.0.2'), 'what the table drops does not');
    outside.run('ip', 'route', 'add', '10.20.0.0/16', 'via', '192.0.2.1');
    t.notOk(outside.ping('10.20.0.1'));

    const lines = rules('DOCKER-USER').split('\n');
    t.equal(lines.filter((line) => line.includes('calico-libnetwork')).length, 2);
    t.match(lines[2], '-i cali+ -m mark --mark 0x10000/0x10000');

    await t.test('a chain that is emptied or made anew gets them back', async (t) => {
      run('iptables', '-F', 'DOCKER-USER');
      await until(
        () => rules('DOCKER-USER').split('calico-libnetwork').length === 3,
        'the accepts',
        2000,
      );
      t.ok(a.namespace.ping('10.20.0.2'));
    });
  });

  t.test('runs of iptables are counted', async (t) => {
    run('iptables', '-F');
    run('iptables', '-P', 'FORWARD', 'ACCEPT');
    run('ip6tables', '-P', 'FORWARD', 'ACCEPT');
    run('iptables', '-X');
    const store = clusterStore(pools, ['net1']);
    const calls: string[] = [];
    const host = await startAgent(t, store, {
      exec: (program, args, options) => {
        calls.push([program, ...args].join(' '));
        return exec(program, args, options);
      },
    });
    const looked = (): number => host.agent.status().parts['forward']?.applied ?? 0;
    await until(() => looked() > 0 && host.agent.status().state === 'in-sync', 'the first look');
    t.same(host.agent.status().forward, { 4: 'not-needed', 6: 'not-needed' });
    calls.length = 0;
    const before = looked();
    await attach(t, host, store, { id: 'd', network: 'net1', addresses: ['10.20.0.4'] });
    run('iptables', '-N', 'DOCKER');
    run(
      'iptables',
      '-A',
      'DOCKER',
      '-d',
      '172.17.0.2/32',
      '-p',
      'tcp',
      '--dport',
      '80',
      '-j',
      'ACCEPT',
    );
    await until(() => looked() > before, 'a look');
    t.same(calls, [], 'neither a start nor a published port runs iptables');
    run('iptables', '-P', 'FORWARD', 'DROP');
    await until(() => host.agent.status().forward[4] === 'forward', 'the accepts', 2000);
    t.equal(rules('FORWARD').split('calico-libnetwork').length, 3);
  });
});
