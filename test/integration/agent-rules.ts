import t from 'tap';
import { profile } from '../fixtures/agent-facts.js';
import {
  attach,
  clusterStore,
  packetsOf,
  putEndpoint,
  putProfile,
  startAgent,
} from '../fixtures/agent-host.js';
import { inPrivateNamespace } from '../fixtures/private-namespace.js';
import { until } from '../fixtures/until.js';
import { Address } from '../../src/model/index.js';

const PORTS = [80, 8080, 8090, 8091];
type Probe = 'ping' | 'ping6' | 80 | 8080 | 8090 | 8091;

/** Ingress rules of the server's profile, what gets through, and which of the others a rule dropped. */
const cases: readonly {
  readonly name: string;
  readonly rules: readonly object[];
  readonly passes: readonly Probe[];
  readonly decides?: string;
}[] = [
  { name: 'no rule', rules: [], passes: [], decides: 'no profile matched' },
  {
    name: 'ports and ranges',
    rules: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [80, '8090:8091'] } }],
    passes: [80, 8090, 8091],
  },
  {
    name: 'not these ports',
    rules: [{ action: 'Allow', protocol: 'TCP', destination: { notPorts: ['80:8080'] } }],
    passes: [8090, 8091],
  },
  {
    name: 'echo requests only',
    rules: [{ action: 'Allow', protocol: 'ICMP', icmp: { type: 8, code: 0 } }],
    passes: ['ping'],
  },
  {
    name: 'all ICMP but echo requests',
    rules: [{ action: 'Allow', protocol: 'ICMP', notICMP: { type: 8, code: 0 } }],
    passes: [],
  },
  { name: 'a family', rules: [{ action: 'Allow', ipVersion: 6 }], passes: ['ping6'] },
  {
    name: 'not a protocol',
    rules: [{ action: 'Allow', ipVersion: 4, notProtocol: 'TCP' }],
    passes: ['ping'],
  },
  {
    name: 'networks',
    rules: [{ action: 'Allow', source: { nets: ['10.20.0.0/31', 'fd00:20::/126'] } }],
    passes: ['ping', 'ping6', 80, 8080, 8090, 8091],
  },
  {
    name: 'not those networks',
    rules: [{ action: 'Allow', source: { notNets: ['10.20.0.1/32'] } }],
    passes: ['ping6'],
  },
  {
    name: 'a selector over labels',
    rules: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "role == 'client' && !has(blocked)" },
      },
    ],
    passes: [80, 8080, 8090, 8091],
  },
  {
    name: 'a selector that does not match',
    rules: [{ action: 'Allow', source: { selector: "role == 'other'" } }],
    passes: [],
  },
  {
    name: 'not a selector',
    rules: [{ action: 'Allow', source: { notSelector: "role == 'client'" } }],
    passes: [],
  },
  {
    name: 'order decides',
    rules: [
      { action: 'Log', protocol: 'TCP' },
      { action: 'Deny', protocol: 'TCP', destination: { ports: [8080] } },
      { action: 'Pass' },
      { action: 'Allow' },
    ],
    passes: ['ping', 'ping6', 80, 8090, 8091],
    decides: 'server ingress rule 2',
  },
  {
    name: 'an allow that cannot be honoured admits nothing',
    rules: [{ action: 'Allow', protocol: 'TCP', source: { services: { name: 'x' } } }],
    passes: [],
  },
  {
    name: 'a deny that cannot be honoured denies more',
    rules: [
      {
        action: 'Deny',
        protocol: 'TCP',
        source: { services: { name: 'x' } },
        destination: { ports: [80] },
      },
      { action: 'Allow' },
    ],
    passes: ['ping', 'ping6', 8080, 8090, 8091],
    decides: 'server ingress rule 1',
  },
];

await inPrivateNamespace(import.meta.url, () => {
  t.test('what a rule says is what the kernel does', async (t) => {
    const store = clusterStore({ '10.20.0.0/16': {} }, ['net1']);
    putProfile(store, profile('server', [], [{ action: 'Allow' }]));
    const host = await startAgent(t, store);
    const addresses = ['10.20.0.1', 'fd00:20::1'];
    const client = await attach(t, host, store, { id: 'c', network: 'net1', addresses });
    putEndpoint(store, {
      endpoint: 'c',
      profiles: ['net1'],
      addresses: addresses.map((one) => Address.parse(one)),
      labels: { role: 'client' },
    });
    const server = await attach(t, host, store, {
      id: 's',
      network: 'server',
      addresses: ['10.20.0.2', 'fd00:20::2'],
    });
    const script = `for (const port of ${JSON.stringify(PORTS)}) require('node:net').createServer((s) => s.end()).listen(port);`;
    server.namespace.start(process.execPath, '-e', script);
    await until(
      () => server.namespace.run('ss', '-ltn').split('\n').length === PORTS.length + 2,
      'the server',
    );

    const passes = (probe: Probe): boolean => {
      if (probe === 'ping') return client.namespace.ping('10.20.0.2', '-W', '0.2');
      if (probe === 'ping6') return client.namespace.ping('fd00:20::2', '-W', '0.2');
      const status = `timeout 0.3 bash -c 'echo > /dev/tcp/10.20.0.2/${probe}' 2> /dev/null && echo yes || echo no`;
      return client.namespace.run('bash', '-c', status).trim() === 'yes';
    };
    for (const { name, rules, passes: expected, decides } of cases) {
      await t.test(name, async (t) => {
        const { changed } = host.agent.status().table;
        const next = profile('server', rules, [{ action: 'Allow' }], { version: name });
        putProfile(store, next);
        const applied = (): boolean =>
          rules.length === 0 || host.agent.status().table.changed > changed;
        await until(() => applied() && host.agent.status().state === 'in-sync', 'the rules');
        const before = decides === undefined ? 0 : await packetsOf(host.nft, decides);
        const found = (['ping', 'ping6', 80, 8080, 8090, 8091] as const).filter(passes);
        t.same(found, expected);
        if (decides !== undefined) t.ok((await packetsOf(host.nft, decides)) > before, decides);
      });
    }
  });
});
