import t from 'tap';
import { cliOn, type Cli } from '../fixtures/cli-run.js';
import { createMemoryStore } from '../fixtures/memory-store.js';

const V3 = 'apiVersion: projectcalico.org/v3\n';
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const object = (kind: string, metadata: string, spec = '{}'): string =>
  `${V3}kind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;

const endpoint = (name: string, profile: string, address: number, node = 'node1'): string =>
  object(
    'WorkloadEndpoint',
    `{name: ${node}-libnetwork-libnetwork-${name}0000000, annotations: {calico-libnetwork/container-name: ${name}}}`,
    `{orchestrator: libnetwork, workload: libnetwork, node: ${node}, endpoint: ${name}0000000, containerID: c0ffee${address}, interfaceName: cali${address}, ipNetworks: [10.20.0.${address}/32, "fd00:20::${address}/128"], profiles: [${profile}]}`,
  );

/** Two networks as in product.md W3: profiles and policies of the first generation, of the same names. */
const W3 = `apiVersion: v1
kind: profile
metadata: {name: database, labels: {role: database}}
---
apiVersion: v1
kind: profile
metadata: {name: frontend, labels: {role: frontend}}
---
apiVersion: v1
kind: policy
metadata: {name: database}
spec:
  selector: role == 'database'
  ingress:
  - {action: allow, protocol: tcp, source: {selector: role == 'frontend'}, destination: {ports: [3306]}}
  - {action: allow, source: {selector: role == 'database'}}
  egress:
  - {action: allow, destination: {selector: role == 'database'}}
---
apiVersion: v1
kind: policy
metadata: {name: frontend}
spec:
  selector: role == 'frontend'
  egress:
  - {action: allow, protocol: tcp, destination: {selector: role == 'database', ports: [3306]}}
`;
const ENDPOINTS = [
  endpoint('db1', 'database', 1),
  endpoint('db2', 'database', 2, 'node2'),
  endpoint('web1', 'frontend', 3),
  endpoint('web2', 'frontend', 4, 'node2'),
].join('---\n');
const NODES = ['node1', 'node2']
  .map((name, at) =>
    object('Node', `{name: ${name}}`, `{bgp: {ipv4Address: 192.0.2.${at + 1}/24}}`),
  )
  .join('---\n');

async function w3(): Promise<Cli> {
  const cli = cliOn(createMemoryStore());
  for (const stdin of [NODES, ENDPOINTS, W3]) {
    const { status, err } = await cli('apply -f -', { stdin });
    if (status !== 0) throw new Error(err);
  }
  return cli;
}

t.test('exactly the flows of W3 pass', async (t) => {
  const cli = await w3();
  const names = ['db1', 'db2', 'web1', 'web2'];
  const passes: string[] = [];
  for (const from of names) {
    for (const to of names.filter((each) => each !== from)) {
      for (const port of ['tcp/3306', 'tcp/80', 'icmp']) {
        const { status, out, err } = await cli(
          `policy trace --from ${from} --to ${to} --port ${port}`,
        );
        t.equal(err, '');
        t.match(out, status === 0 ? /: allow\n/ : /: deny\n/);
        if (status === 0) passes.push(`${from} ${to} ${port}`);
        else t.equal(status, 2);
      }
    }
  }
  t.same(passes, [
    ...['tcp/3306', 'tcp/80', 'icmp'].map((port) => `db1 db2 ${port}`),
    ...['tcp/3306', 'tcp/80', 'icmp'].map((port) => `db2 db1 ${port}`),
    ...['web1 db1', 'web1 db2', 'web2 db1', 'web2 db2'].map((pair) => `${pair} tcp/3306`),
  ]);
});

t.test('a trace tells both ends, in text and as JSON', async (t) => {
  const cli = await w3();
  const trace = await cli('policy trace --from web1 --to db2 --port tcp/80');
  t.equal(
    trace.out,
    `from endpoint web1 (default/node1-libnetwork-libnetwork-web10000000) to endpoint db2 (default/node2-libnetwork-libnetwork-db20000000)
IPv4 10.20.0.3 -> 10.20.0.2, tcp/80: deny
  deny   egress of endpoint web1 (default/node1-libnetwork-libnetwork-web10000000) on node1: end of tier default: its policies apply and none decides
  deny   ingress of endpoint db2 (default/node2-libnetwork-libnetwork-db20000000) on node2: end of tier default: its policies apply and none decides
IPv6 fd00:20::3 -> fd00:20::2, tcp/80: deny
  deny   egress of endpoint web1 (default/node1-libnetwork-libnetwork-web10000000) on node1: end of tier default: its policies apply and none decides
  deny   ingress of endpoint db2 (default/node2-libnetwork-libnetwork-db20000000) on node2: end of tier default: its policies apply and none decides
`,
  );
  const json = await cli('policy trace --from web1 --to 10.20.0.2 --port tcp/3306 -o json');
  t.equal(json.status, 0);
  t.match(JSON.parse(json.out), {
    verdict: 'allow',
    port: 'tcp/3306',
    flows: [
      {
        family: 4,
        verdict: 'allow',
        decisions: [
          {
            node: 'node1',
            kind: 'workload',
            direction: 'Egress',
            verdict: 'allow',
            reason: { type: 'policy', policy: 'frontend', rule: 0, tier: 'default' },
            description: 'policy frontend, rule 0',
          },
          { node: 'node2', direction: 'Ingress', reason: { policy: 'database', rule: 0 } },
        ],
      },
    ],
  });
});

t.test('ends by every name, and what is none', async (t) => {
  const cli = await w3();
  const named = async (from: string): Promise<string> =>
    (await cli(`policy trace --from ${from} --to db1 --port tcp/3306`)).out.split('\n')[0] ?? '';
  const web1 = /^from endpoint web1 /;
  t.match(await named('web1'), web1);
  t.match(await named('node1-libnetwork-libnetwork-web10000000'), web1);
  t.match(await named('default/node1-libnetwork-libnetwork-web10000000'), web1);
  t.match(await named('web10000'), web1, 'the beginning of the endpoint id');
  t.match(await named('c0ffee3'), web1, 'the container id');
  t.match(await named('10.20.0.3'), web1);
  t.match(await named('fd00:20::3'), web1);
  t.match(await named('node2'), /^from host node2 /);
  t.match(await named('192.0.2.2'), /^from host node2 /);
  t.match(await named('198.51.100.7'), /^from 198.51.100.7 /);
  const refused: [string, RegExp][] = [
    [
      '--from web9 --to db1 --port icmp',
      /"web9" is no endpoint, container, host or address: known/,
    ],
    ['--from c0ffee --to db1 --port icmp', /"c0ffee" fits 4 endpoints: db1 \(default/],
    ['--from web1 --to db1 --port tcp', /"tcp" is no protocol with port/],
    ['--from web1 --to db1 --port tcp/0', /no protocol with port/],
    ['--from web1 --to db1 --port icmp/8/0/0', /no protocol with port/],
    ['--from web1 --to db1 --port 47/3', /no protocol with port/],
    ['--from fdff::1 --to 198.51.100.7 --port icmp', /no address family in common/],
    ['--from web1 --to db1 --port icmp -o yaml', /use text or json/],
  ];
  for (const [words, message] of refused) {
    t.match(await cli(`policy trace ${words}`), { status: 1, out: '', err: message }, words);
  }
  t.match(await cli('policy trace --from web1'), { status: 1, out: /Exit status: 0 the flow/ });
});

t.test('what cannot be understood is told and counts as absent', async (t) => {
  const store = createMemoryStore({
    entries: { [`${RESOURCES}/globalnetworkpolicies/broken`]: '{no' },
  });
  const cli = cliOn(store);
  await cli('apply -f -', { stdin: ENDPOINTS });
  t.match(await cli('policy trace --from web1 --to db1 --port icmp'), {
    status: 2,
    out: /profile frontend does not exist/,
    err: /note: .*globalnetworkpolicies\/broken cannot be understood.*counts as absent/,
  });
});

t.test('what decides about an endpoint, in order', async (t) => {
  const cli = await w3();
  t.match(await cli('apply -f -', { stdin: object('Tier', '{name: security}', '{order: 5}') }), {
    status: 0,
  });
  const early = object(
    'NetworkPolicy',
    '{name: early}',
    '{tier: security, order: 3, ingress: [{action: Deny, source: {nets: [198.51.100.0/24]}}, {action: Pass}]}',
  );
  await cli('apply -f -', { stdin: early });
  const shown = await cli('policy show db1');
  t.equal(
    shown.out,
    `endpoint db1 (default/node1-libnetwork-libnetwork-db10000000) on node1
addresses: 10.20.0.1, fd00:20::1
labels: projectcalico.org/namespace=default, projectcalico.org/orchestrator=libnetwork, role=database

Ingress
  tier security
    policy default/early, order 3
      0  Deny from net 198.51.100.0/24
      1  Pass
    what none of them decides: Deny
  tier default
    policy database
      0  Allow TCP from role == 'frontend' to port 3306
      1  Allow from role == 'database'
    what none of them decides: Deny
  profile database
  everything else: Deny

Egress
  tier default
    policy database
      0  Allow to role == 'database'
    what none of them decides: Deny
  profile database
  everything else: Deny

packet counters: they are on node1, and the daemon here does not answer: the daemon cannot be reached
`,
  );
  const json = JSON.parse((await cli('policy show db1 -o json')).out) as Record<string, unknown>;
  t.match(json, {
    node: 'node1',
    lists: [
      { direction: 'Ingress', tiers: [{ name: 'security' }, { name: 'default' }] },
      { direction: 'Egress', profiles: [{ name: 'database', exists: true, rules: [] }] },
    ],
  });
  t.match(await cli('policy show node1'), { status: 1, err: /"node1" is no endpoint; policies/ });
  t.match(await cli('policy show'), { status: 1, out: /Examples:/ });
});

t.test('what decides about a host endpoint', async (t) => {
  const cli = await w3();
  const stdin = [
    object(
      'HostEndpoint',
      '{name: edge, labels: {edge: "yes"}}',
      '{node: node1, interfaceName: eth0}',
    ),
    object(
      'GlobalNetworkPolicy',
      '{name: ssh}',
      '{selector: has(edge), applyOnForward: true, doNotTrack: true, ingress: [{action: Allow, protocol: TCP, destination: {ports: [22]}}]}',
    ),
  ].join('---\n');
  t.match(await cli('apply -f -', { stdin }), { status: 0 });
  t.match(await cli('policy show edge'), {
    status: 0,
    out: /^host endpoint edge, interface eth0 on node1.*\nIngress before connection tracking\n {2}tier default\n {4}policy ssh\n {6}0 {2}Allow TCP to port 22\n {4}what none of them decides: goes on\n\nIngress\n {2}everything else: Deny\n/s,
  });
  t.match(await cli('policy trace --from 198.51.100.7 --to node1 --port tcp/80'), {
    status: 2,
    out: /deny {3}ingress of host endpoint edge on node1: no policy applies and it has no profile/,
  });
  const failsafe = await cli('policy trace --from 198.51.100.7 --to node1 --port tcp/22');
  t.match(failsafe, { status: 0, out: /failsafe port 22/ });
});

t.test(
  'a host is configured as its own FelixConfiguration says, over the common one',
  async (t) => {
    const cli = await w3();
    const felix = (name: string, spec: string): string =>
      object('FelixConfiguration', `{name: ${name}}`, spec);
    const open = object('Profile', '{name: frontend}', '{egress: [{action: Allow}]}');
    const none = object('GlobalNetworkPolicy', '{name: frontend}', '{selector: has(nothing)}');
    const edges = ['node1', 'node2'].map((node) =>
      object('HostEndpoint', `{name: ${node}}`, `{node: ${node}, interfaceName: eth0}`),
    );
    const stdin = [
      open,
      none,
      ...edges,
      felix('default', '{defaultEndpointToHostAction: Accept}'),
    ].join('---\n');
    t.match(await cli('apply -f -', { stdin }), { status: 0 });
    const trace = async (from: string, to: string, port: string) =>
      cli(`policy trace --from ${from} --to ${to} --port ${port}`);
    t.match(await trace('web1', 'node1', 'tcp/80'), {
      status: 0,
      out: /defaultEndpointToHostAction Accept/,
    });
    const own = felix(
      'node.node1',
      '{defaultEndpointToHostAction: Drop, failsafeInboundHostPorts: [{protocol: TCP, port: 8022}]}',
    );
    const tried = await cli('apply --dry-run -f -', { stdin: own });
    t.match(tried.out, /allow -> deny {2}web1 -> host node1 tcp/);
    t.notMatch(tried.out, /-> host node2/);
    t.match(await cli('apply -f -', { stdin: own }), { status: 0 });
    t.match(await trace('web1', 'node1', 'tcp/80'), {
      status: 2,
      out: /defaultEndpointToHostAction Drop/,
    });
    t.match(await trace('web2', 'node2', 'tcp/80'), { status: 0, out: /Action Accept/ });
    t.match(await trace('198.51.100.7', 'node1', 'tcp/8022'), {
      status: 0,
      out: /failsafe port 8022/,
    });
    t.match(await trace('198.51.100.7', 'node1', 'tcp/22'), { status: 2 });
    t.match(await trace('198.51.100.7', 'node2', 'tcp/22'), { status: 0, out: /failsafe port 22/ });
  },
);

const CASES = `
manifests: [w3.yaml]
endpoints:
- {name: web, profiles: [frontend]}
- {name: db, profiles: [database], addresses: [10.1.0.1]}
- {name: other, labels: {role: other}, node: node2}
cases:
- {name: query, from: web, to: db, port: tcp/3306, expect: allow, because: policy database}
- {from: web, to: db, port: tcp/80, expect: deny, because: end of tier default}
- {from: other, to: db, port: tcp/3306, expect: deny}
- {from: 198.51.100.7, to: db, port: icmp, expect: deny}
`;

t.test('expectations are checked without a datastore', async (t) => {
  const cli = cliOn(createMemoryStore());
  const run = async (text: string, options = ''): ReturnType<Cli> =>
    cli(`policy test -f dir/cases.yaml${options}`, {
      files: { 'dir/cases.yaml': text, 'dir/w3.yaml': W3 },
    });
  t.same(await run(CASES), {
    status: 0,
    out: 'ok      query\nok      case 1: web to db, tcp/80\nok      case 2: other to db, tcp/3306\nok      case 3: 198.51.100.7 to db, icmp\n4 passed, 0 failed\n',
    err: '',
  });
  const wrong = await run(CASES.replace('tcp/80, expect: deny', 'tcp/80, expect: allow'));
  t.match(wrong, {
    status: 2,
    out: /not ok {2}case 1: web to db, tcp\/80: expected allow, found deny\n {10}egress of default\/web: end of tier default.*\n.*\n.*\n3 passed, 1 failed\n$/,
  });
  t.match(await run(CASES.replace('because: policy database', 'because: policy frontends')), {
    status: 2,
    out: /not ok {2}query: expected allow, found allow/,
  });
  const json = await run(CASES, ' -o json');
  t.match(JSON.parse(json.out), { passed: 4, failed: 0, cases: [{ name: 'query', passed: true }] });
  t.match(await cli('policy test -f -', { stdin: CASES.replace('[w3.yaml]', '[]') }), {
    status: 2,
    out: /profile frontend does not exist/,
  });
});

t.test('a file of cases that cannot be used', async (t) => {
  const cli = cliOn(createMemoryStore());
  const refused: [string, RegExp][] = [
    ['', /must have one YAML document/],
    ['[1]', /must have one YAML document/],
    ['cases: []', /at least one case, found none/],
    [CASES.replace('cases:', 'case:'), /one of manifests, endpoints, settings, cases, found case/],
    [CASES.replace('expect: allow', 'expect: maybe'), /cases\[0\]\.expect must have allow or deny/],
    [CASES.replace('to: db, ', ''), /cases\[0\]\.to must have text, found null/],
    [CASES.replace('10.1.0.1', 'banana'), /endpoints\[1\]\.addresses must have .*"banana"/],
    [CASES.replace('from: web', 'from: nobody'), /"nobody" is no endpoint/],
    [CASES.replace('tcp/3306', 'tcp/x'), /"tcp\/x" is no protocol with port/],
    [`settings: {hostReach: some}${CASES}`, /hostReach must have own or all/],
    [CASES.replace('w3.yaml', 'bad.yaml'), /bad.yaml: NetworkPolicy p: .*Selector = 'a ='/],
    [CASES.replace('w3.yaml', 'none.yaml'), /no such file/],
  ];
  for (const [text, message] of refused) {
    const files = {
      'c.yaml': text,
      'w3.yaml': W3,
      'bad.yaml': object('NetworkPolicy', '{name: p}', '{selector: "a ="}'),
    };
    t.match(await cli('policy test -f c.yaml', { files }), { status: 1, err: message });
  }
  t.match(await cli('policy test --help'), {
    status: 0,
    out: /expect: allow.*Exit status: 0 all/s,
  });
  t.match(await cli('policy'), { status: 0, out: /trace/ });
});
