import t from 'tap';
import {
  attach,
  attachOutside,
  clusterStore,
  packetsOf,
  startAgent,
  type Container,
} from '../fixtures/agent-host.js';
import { inPrivateNamespace, run } from '../fixtures/private-namespace.js';
import { nodeText } from '../fixtures/stored-objects.js';
import { Address } from '../../src/model/index.js';
import { resourceKey } from '../../src/datastore/index.js';

const pools = { '10.20.0.0/16': {}, 'fd00:20::/48': {} };

/** One UDP packet with ports of its own; settles when it is on its way. */
function sendUdp(from: Container, fromPort: number, address: string, port: number): void {
  const type = address.includes(':') ? 'udp6' : 'udp4';
  const script = `const s = require('node:dgram').createSocket('${type}');
    s.bind(${fromPort}, () => s.send('x', ${port}, '${address}', () => s.close()));`;
  from.namespace.run(process.execPath, '-e', script);
}

await inPrivateNamespace(import.meta.url, () => {
  t.test('a reused address inherits no connection', async (t) => {
    const store = clusterStore(pools, ['net1', 'net2']);
    const host = await startAgent(t, store);
    const { agent, nft } = host;
    const b = await attach(t, host, store, {
      id: 'b',
      network: 'net1',
      addresses: ['10.20.0.2', 'fd00:20::2'],
    });
    const a = await attach(t, host, store, {
      id: 'a',
      network: 'net1',
      addresses: ['10.20.0.1', 'fd00:20::1'],
    });
    for (const [here, there] of [
      ['10.20.0.1', '10.20.0.2'],
      ['fd00:20::1', 'fd00:20::2'],
    ] as const) {
      sendUdp(a, 1111, there, 2222);
      sendUdp(b, 2222, here, 1111);
    }
    t.match(
      run('conntrack', '-L', '-f', 'ipv4'),
      /src=10\.20\.0\.1 dst=10\.20\.0\.2 .*ASSURED|src=10\.20\.0\.1 dst=10\.20\.0\.2 sport=1111/,
    );
    t.notMatch(run('conntrack', '-L', '-f', 'ipv4'), 'UNREPLIED', 'an established flow');

    // The new user comes before the clean-up had any time.
    const gone = agent.withdraw('a');
    t.equal(agent.addressInUse(Address.parse('10.20.0.1')), false);
    const c = await attach(t, host, store, {
      id: 'c',
      network: 'net2',
      addresses: ['10.20.0.1', 'fd00:20::1'],
    });
    await gone;
    t.notMatch(run('conntrack', '-L', '-f', 'ipv4'), '10.20.0.1 ');
    t.notMatch(run('conntrack', '-L', '-f', 'ipv6'), 'fd00:20::1 ');
    const before = await packetsOf(nft, 'no profile matched');
    const seen = await b.namespace.capture('cali0', 'udp port 2222', () => {
      sendUdp(c, 1111, '10.20.0.2', 2222);
      sendUdp(c, 1111, 'fd00:20::2', 2222);
    });
    t.same(
      seen.filter((line) => line !== ''),
      [],
      'the old connection does not carry the new user',
    );
    t.ok((await packetsOf(nft, 'no profile matched')) >= before + 2);
  });

  t.test('flows of an address from before the start are found at its first use', async (t) => {
    const store = clusterStore(pools, ['net1', 'net2']);
    run(
      'conntrack',
      '-I',
      '-s',
      '10.20.0.7',
      '-d',
      '10.20.0.8',
      '-p',
      'tcp',
      '--sport',
      '1',
      '--dport',
      '2',
      '--state',
      'ESTABLISHED',
      '-t',
      '1000',
    );
    run(
      'conntrack',
      '-I',
      '-s',
      '10.20.0.70',
      '-d',
      '10.20.0.8',
      '-p',
      'tcp',
      '--sport',
      '1',
      '--dport',
      '2',
      '--state',
      'ESTABLISHED',
      '-t',
      '1000',
    );
    const host = await startAgent(t, store);
    await attach(t, host, store, { id: 'f', network: 'net1', addresses: ['10.20.0.7'] });
    t.notMatch(run('conntrack', '-L'), 'src=10.20.0.7 ');
    t.match(run('conntrack', '-L'), 'src=10.20.0.70 ', 'flows of others stay');
  });

  t.test('two endpoints with one address: the newer has it, and gives it back', async (t) => {
    const store = clusterStore(pools, ['net1']);
    const host = await startAgent(t, store);
    await attach(t, host, store, { id: 'g', network: 'net1', addresses: ['10.20.0.9'] });
    await attach(t, host, store, { id: 'h', network: 'net1', addresses: ['10.20.0.9'] });
    t.match(run('ip', 'route', 'show', '10.20.0.9'), 'calih');
    await host.agent.withdraw('h');
    t.match(run('ip', 'route', 'show', '10.20.0.9'), 'calig');
    await host.agent.withdraw('g');
    t.equal(run('ip', 'route', 'show', '10.20.0.9'), '');
    await t.resolves(host.agent.withdraw('g'), 'twice is success');
  });

  t.test(
    'an endpoint whose interface is gone cannot be programmed, and leaves nothing',
    async (t) => {
      const store = clusterStore(pools, ['net1']);
      const host = await startAgent(t, store);
      const i = await attach(t, host, store, {
        id: 'i',
        network: 'net1',
        addresses: ['10.20.0.10'],
      });
      await host.agent.withdraw('i');
      run('ip', 'link', 'del', 'calii');
      await t.rejects(host.agent.program(i.endpoint), {
        kind: 'unavailable',
        message: /calii does not exist/,
      });
      t.notMatch(run('nft', 'list', 'map', 'inet', 'calico-libnetwork', 'from-wl'), 'calii');
      await t.rejects(
        host.agent.program({ ...i.endpoint, id: 'j', interfaceName: 'cali"; drop' }),
        { message: /a name that begins with cali/ },
      );
    },
  );

  t.test('hosts that reach all containers', async (t) => {
    const store = clusterStore(pools, ['net1']);
    const outside = await attachOutside(t);
    const text = JSON.parse(nodeText('node2')) as { spec: object };
    const node = {
      ...text,
      spec: { bgp: { ipv4Address: '192.0.2.2/24', ipv6Address: '2001:db8::2/64' } },
    };
    store.put(resourceKey('nodes', 'node2'), JSON.stringify(node));
    const host = await startAgent(t, store, { settings: { hostReach: 'all' } });
    await attach(t, host, store, {
      id: 'k',
      network: 'net1',
      addresses: ['10.20.0.11', 'fd00:20::11'],
    });
    outside.run('ip', 'route', 'add', '10.20.0.0/16', 'via', '192.0.2.1');
    outside.run('ip', 'route', 'add', 'fd00:20::/48', 'via', '2001:db8::1');
    t.ok(outside.ping('10.20.0.11'));
    t.ok(outside.ping('fd00:20::11'));
    t.equal((await packetsOf(host.nft, 'hosts reach all')) >= 2, true);
    outside.run('ip', 'addr', 'add', '192.0.2.3/24', 'dev', 'eth0');
    t.notOk(outside.ping('10.20.0.11', '-I', '192.0.2.3'), 'an address of no host');
  });
});
