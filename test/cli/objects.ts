import t from 'tap';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { cliOn } from '../fixtures/cli-run.js';

const V3 = 'apiVersion: projectcalico.org/v3\n';
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const pool = (name: string, spec: string): string =>
  `${V3}kind: IPPool\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
const node = (name: string, spec = '{}', metadata = ''): string =>
  `${V3}kind: Node\nmetadata: {name: ${name}${metadata}}\nspec: ${spec}\n`;

t.test('create initializes the datastore and stores what calicoctl would', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  const files = { 'p.yaml': pool('pool1', '{cidr: 10.20.0.0/16, natOutgoing: true}') };
  const made = await cli('create -f p.yaml', { files });
  t.same(made, { status: 0, out: "Successfully created 1 'IPPool' resource(s)\n", err: '' });
  t.same(Object.keys(store.dump()).sort(), [
    `${RESOURCES}/clusterinformations/default`,
    `${RESOURCES}/ippools/pool1`,
    `${RESOURCES}/tiers/default`,
    `${RESOURCES}/tiers/kube-admin`,
    `${RESOURCES}/tiers/kube-baseline`,
  ]);
  t.match(
    store.dump()[`${RESOURCES}/ippools/pool1`],
    '"spec":{"cidr":"10.20.0.0/16","vxlanMode":"Never","ipipMode":"Never","natOutgoing":true,"blockSize":26,"nodeSelector":"all()","allowedUses":["Workload","Tunnel"],"assignmentMode":"Automatic"}',
  );
  const again = await cli('create -f p.yaml', { files });
  t.equal(again.status, 1);
  t.match(
    again.err,
    /failed to create 'IPPool' resource: \[resource already exists: IPPool\(pool1\)/,
  );
  t.equal((await cli('create --skip-exists -f p.yaml', { files })).status, 0);
});

t.test('tables, documents and columns of get', async (t) => {
  const cli = cliOn(createMemoryStore());
  const stdin = `${pool('pool1', '{cidr: 10.20.0.0/16, ipipMode: CrossSubnet, natOutgoing: true}')}---
${node('node1', '{bgp: {asNumber: 64513, ipv4Address: 172.16.60.215/24}}', ', labels: {rack: r1}')}---
${node('node2', '{bgp: {ipv4Address: 172.16.60.216/24, ipv6Address: "fd00::2/64"}}')}---
${node('node3')}`;
  t.match(await cli('create -f -', { stdin }), { out: 'Successfully created 4 resource(s)\n' });
  t.equal((await cli('get nodes')).out, 'NAME    \nnode1   \nnode2   \nnode3   \n\n');
  t.equal(
    (await cli('get nodes -o wide')).out,
    'NAME    ASN       IPV4               IPV6         \n' +
      'node1   64513     172.16.60.215/24                \n' +
      'node2   (64512)   172.16.60.216/24   fd00::2/64   \n' +
      'node3                                             \n\n',
  );
  t.equal(
    (await cli('get ipPool -o wide')).out,
    'NAME    CIDR           NAT    IPIPMODE      VXLANMODE   DISABLED   DISABLEBGPEXPORT   SELECTOR   ASSIGNMENTMODE   \n' +
      'pool1   10.20.0.0/16   true   CrossSubnet   Never       false      false              all()      Automatic        \n\n',
  );
  t.equal(
    (await cli('get profile')).out,
    'NAME                          \nprojectcalico-default-allow   \n\n',
  );
  t.equal(
    (await cli('get nodes -o custom-columns=NAME,ASN')).out.split('\n')[1],
    'node1   64513     ',
  );
  t.equal(
    (await cli('get node node1 --export -o yaml')).out,
    `apiVersion: projectcalico.org/v3
kind: Node
metadata:
  labels:
    rack: r1
  name: node1
spec:
  bgp:
    asNumber: 64513
    ipv4Address: 172.16.60.215/24
status: {}
`,
  );
  const list = JSON.parse((await cli('get nodes -o json')).out) as Record<string, unknown>;
  t.match(list, { kind: 'NodeList', items: [{ metadata: { resourceVersion: /^\d+$/ } }, {}, {}] });
  t.match(JSON.parse((await cli('get nodes node1 node2 -o json')).out), [{}, {}]);
  t.match((await cli('get nodes node1 nope')).out, /node1/);
  t.match(await cli('get wep'), { out: /WORKLOAD {3}NODE/, status: 0 });
  t.match(await cli('get wep -A'), { out: /^NAMESPACE/ });
  t.match(await cli('get clusterinfo'), { out: /CLUSTERGUID.*\ndefault .*true/ });
});

t.test('what get refuses', async (t) => {
  const cli = cliOn(createMemoryStore());
  const refused: [string, RegExp][] = [
    [
      'get bogus',
      /failed to get resources: resource type 'bogus' is not supported: use one of .*ipPool/,
    ],
    ['get nodes -o bogus', /unrecognized output format 'bogus'/],
    ['get nodes -o go-template={{.}}', /go-template is not offered: use -o json/],
    [
      'get nodes -o custom-columns=NAME,BOGUS',
      /unknown heading BOGUS, valid values are: NAME, ASN, IPV4, IPV6/,
    ],
    ['get node -n prod', /Node is not namespaced/],
    ['get wep x -A', /cannot use --all-namespace flag/],
    ['get ippool nope', /resource does not exist: IPPool\(nope\)/],
    ['get wep nope', /WorkloadEndpoint\(default\/nope\)/],
    ['get nodes -f x.yaml', /not both/],
    ['bogus', /unknown command "bogus" for "calicoctl"/],
    ['get --bogus', /unknown option '--bogus'/],
  ];
  for (const [argv, message] of refused) {
    const { status, out, err } = await cli(argv);
    t.equal(status, 1, argv);
    t.equal(out, '', argv);
    t.match(err, message, argv);
  }
});

t.test('without arguments there is help, never a crash', async (t) => {
  const cli = cliOn(createMemoryStore());
  for (const verb of [
    'get',
    'apply',
    'create',
    'replace',
    'delete',
    'patch',
    'label',
    'validate',
  ]) {
    const { status, out, err } = await cli(verb);
    t.equal(status, 1, verb);
    t.match(out, new RegExp(`^Usage: calicoctl ${verb}`));
    t.match(out, /Examples:/);
    t.equal(err, '');
  }
  t.match(await cli(''), { status: 0, out: /Usage: calicoctl.*Examples:/s });
  t.match(await cli('get --help'), { status: 0, out: /Examples:/ });
  t.match(await cli('--version'), { status: 0, out: /^calicoctl \d/ });
});

t.test('apply and replace change, and keep what they do not know', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  const key = `${RESOURCES}/ippools/p`;
  const stdin = pool('p', '{cidr: 10.0.0.0/24}');
  t.match(await cli('replace -f -', { stdin }), {
    status: 1,
    err: /failed to replace 'IPPool' resource: \[resource does not exist: IPPool\(p\)/,
  });
  t.match(await cli('apply -f -', { stdin }), { out: /applied 1 'IPPool'/ });
  const value = store.dump()[key] ?? '';
  store.put(
    key,
    value.replace('"spec":{', '"spec":{"future":{"a":1},').replace(/\}\}$/, '},"top":1}'),
  );
  const other = pool('p', '{cidr: 10.0.0.0/24, natOutgoing: true}');
  t.match(await cli('apply -f -', { stdin: other }), { out: /applied 1/ });
  t.match(store.dump()[key], '"natOutgoing":true');
  t.match(store.dump()[key], '"future":{"a":1}');
  t.match(await cli('apply -f -', { stdin: pool('p', '{cidr: 10.0.1.0/24}') }), {
    err: /CIDR cannot be modified: it is 10.0.0.0\/24/,
  });
  t.match(await cli('apply -f -', { stdin: pool('p', '{cidr: 10.0.0.0/24, blockSize: 27}') }), {
    err: /BlockSize cannot be modified/,
  });
  t.match(await cli('apply -f -', { stdin: pool('q', '{cidr: 10.0.0.128/25}') }), {
    err: /IPPool\(q\) CIDR overlaps with IPPool\(p\) CIDR 10.0.0.0\/24/,
  });
});

t.test('a document that is out of date is refused', async (t) => {
  const cli = cliOn(createMemoryStore());
  await cli('create -f -', { stdin: node('nd') });
  const stdin = (await cli('get node nd -o yaml')).out;
  t.match(
    await cli('apply -f -', {
      stdin: stdin.replace('spec: {}', 'spec: {ipv4VXLANTunnelAddr: 10.0.0.1}'),
    }),
    { status: 0 },
  );
  for (const verb of ['apply', 'replace', 'delete']) {
    const { status, err } = await cli(`${verb} -f -`, { stdin });
    t.equal(status, 1);
    t.match(
      err,
      /update conflict: Node\(nd\): the document has resourceVersion \d+, the datastore \d+/,
    );
  }
  t.match(await cli('create -f -', { stdin }), {
    err: /Metadata.ResourceVersion = '\d+' \(field must not/,
  });
});

t.test(
  'several objects: a failing one does not stop the rest, a malformed one stops all',
  async (t) => {
    const store = createMemoryStore();
    const cli = cliOn(store);
    const stdin = ['10.1.0.0/24', '10.1.0.0/24', '10.2.0.0/24']
      .map((cidr, at) => pool(`p${at}`, `{cidr: ${cidr}}`))
      .join('---\n');
    const partial = await cli('create -f -', { stdin });
    t.equal(partial.status, 1);
    t.equal(partial.out, "Partial success: created 2 out of 3 'IPPool' resources:\n");
    t.match(partial.err, /^hit error: \[error with field IPPool.Spec.CIDR/);
    const broken = await cli('create -f -', {
      stdin: `${node('xx')}---\n${node('yy', '{bogus: 1}')}`,
    });
    t.match(broken, {
      status: 1,
      err: /^field in document is not recognized or is in the wrong location: bogus/,
    });
    t.notOk(store.dump()[`${RESOURCES}/nodes/xx`]);
    t.match(await cli('apply -f -', { stdin: '' }), { err: /no resources specified in file -/ });
    t.match(await cli('apply --skip-empty -f -', { stdin: '# none' }), {
      out: 'No resources specified\n',
    });
    const files = { 'd/a.yaml': node('a'), 'd/b.yaml': node('b') };
    t.match(await cli('create -f d', { files }), {
      out: "Successfully created 2 'Node' resource(s)\n",
    });
    t.match(await cli('delete node a b c'), {
      status: 1,
      out: "Successfully deleted 2 'Node' resource(s)\n",
      err: /Failed to delete 'Node' resource: resource does not exist: Node\(c\)/,
    });
    t.match(await cli('delete --skip-not-exists node a'), { status: 0 });
    t.match(await cli('delete node'), { err: /resource does not exist: Node\(\)/ });
    t.match(await cli('validate -f d', { files }), {
      out: "Successfully validated 2 'Node' resource(s)\n",
    });
  },
);

t.test('manifests of the first generation', async (t) => {
  const cli = cliOn(createMemoryStore());
  const stdin = `- apiVersion: v1
  kind: ipPool
  metadata: {cidr: 17.16.10.0/24}
  spec: {ipip: {enabled: true}, nat-outgoing: true, disabled: false}
`;
  t.same(await cli('create -f -', { stdin }), {
    status: 0,
    out: "Successfully created 1 'ipPool' resource(s)\n",
    err: '',
  });
  t.match(
    (await cli('get ipPool -o wide')).out,
    /17-16-10-0-24 {3}17.16.10.0\/24 {3}true {3}Always/,
  );
  const profile =
    'apiVersion: v1\nkind: profile\nmetadata: {name: database, labels: {role: database}}\n';
  t.match(await cli('apply -f -', { stdin: profile }), { out: /applied 1 'profile'/ });
  t.match((await cli('get profile -o wide')).out, /database +role=database/);
});

t.test('namespaces', async (t) => {
  const cli = cliOn(createMemoryStore());
  const endpoint = (metadata: string): string =>
    `${V3}kind: WorkloadEndpoint\nmetadata: ${metadata}\nspec: {orchestrator: o, workload: w, node: n-1, endpoint: e, interfaceName: cali1, ipNetworks: [10.0.0.1/32]}\n`;
  t.match(await cli('create -f -', { stdin: endpoint('{}') }), { status: 0 });
  t.match(await cli('create -n prod -f -', { stdin: endpoint('{name: n--1-o-w-e}') }), {
    status: 0,
  });
  t.match(await cli('create -n prod -f -', { stdin: endpoint('{namespace: other}') }), {
    err: /namespace other, but -n prod/,
  });
  t.match(await cli('create -n prod -f -', { stdin: node('nd') }), {
    err: /Node is not namespaced/,
  });
  t.match(await cli('create -f -', { stdin: node('nd', '{}', ', namespace: x') }), {
    err: /namespace should not be specified for a non-namespaced resource/,
  });
  t.equal(
    (await cli('get wep -A')).out,
    'NAMESPACE   WORKLOAD   NODE   NETWORKS      INTERFACE   \n' +
      'default     w          n-1    10.0.0.1/32   cali1       \n' +
      'prod        w          n-1    10.0.0.1/32   cali1       \n\n',
  );
  t.match(
    (await cli('get wep n--1-o-w-e -n prod -o yaml')).out,
    /projectcalico.org\/namespace: prod/,
  );
  t.match(await cli('delete wep n--1-o-w-e'), { out: /deleted 1/ });
  t.match((await cli('get wep')).out, /^WORKLOAD.*\n\n$/);
});

t.test('what Calico provides cannot be changed', async (t) => {
  const cli = cliOn(createMemoryStore());
  await cli('create -f -', { stdin: node('nd') });
  t.match(await cli('delete profile projectcalico-default-allow'), { err: /is not supported/ });
  t.match(await cli('delete clusterinformation default'), {
    err: /ClusterInformation: resource is readonly/,
  });
  const stdin = `${V3}kind: Profile\nmetadata: {name: projectcalico-default-allow}\nspec: {}\n`;
  t.match(await cli('apply -f -', { stdin }), {
    status: 1,
    err: /operation Update is not supported/,
  });
});

t.test('patch and label', async (t) => {
  const store = createMemoryStore();
  const cli = cliOn(store);
  await cli('create -f -', {
    stdin: node('nd', '{bgp: {ipv4Address: 192.0.2.1/24}}', ', labels: {keep: x}'),
  });
  t.match(
    await cli(
      `patch node nd -p '{"spec":{"bgp":{"asNumber":64999}},"metadata":{"labels":{"a":"b","keep":null}}}'`,
    ),
    {
      out: "Successfully patched 1 'Node' resource\n",
    },
  );
  const stored = store.dump()[`${RESOURCES}/nodes/nd`] ?? '';
  t.match(stored, '"labels":{"a":"b"}');
  t.match(stored, '"bgp":{"asNumber":64999,"ipv4Address":"192.0.2.1/24"}');
  t.match(await cli(`patch node nd -p '{"spec":{"bogus":1}}'`), { err: /wrong location: bogus/ });
  t.match(await cli(`patch node nope -p '{"spec":{}}'`), {
    err: /hit error: resource does not exist/,
  });
  t.match(await cli(`patch node nd -p '{"spec":{"bgp":{"ipv4Address":null,"asNumber":null}}}'`), {
    status: 0,
  });
  t.notMatch(store.dump()[`${RESOURCES}/nodes/nd`], '"bgp"', 'never an empty bgp');
  t.match(await cli('label nodes nd colour=red'), {
    out: 'Successfully set label colour on nodes nd\n',
  });
  t.match(await cli('label nodes nd colour=blue'), {
    err: /already present. please use '--overwrite'/,
  });
  t.match(await cli('label nodes nd colour=blue --overwrite'), { out: /updated label/ });
  t.match(await cli('label nodes nd colour --remove'), {
    out: /removed label colour from nodes nd/,
  });
  t.match(await cli('label nodes nd colour --remove'), { err: /key colour does not exist/ });
  t.match(await cli('label nodes nd bad/key/x=1'), { status: 1, err: /Labels \(label\)/ });
  t.match(await cli('label node nope a=b'), { err: /node nope not found/ });
});

t.test('a value that cannot be understood is told, and can be deleted', async (t) => {
  const store = createMemoryStore({ entries: { [`${RESOURCES}/ippools/broken`]: '{not json' } });
  const cli = cliOn(store);
  const listed = await cli('get ippools');
  t.equal(listed.status, 0);
  t.match(listed.err, /note: stored object .*broken cannot be understood/);
  t.match(await cli('get ippool broken'), { status: 1, err: /cannot be understood/ });
  t.match(await cli('delete ippool broken'), { status: 0 });
  t.same(store.dump(), {});
});

t.test('status shows what the daemon says', async (t) => {
  const cli = cliOn(createMemoryStore());
  const status = {
    version: '1',
    store: { type: 'embedded', reachable: true },
    peers: [{ address: '192.0.2.1', state: 'up' }],
  };
  t.equal(
    (await cli('status', { status })).out,
    'version: 1\n\nstore:\n  type: embedded\n  reachable: yes\n\npeers:\nADDRESS     STATE   \n192.0.2.1   up      \n',
  );
  t.same(JSON.parse((await cli('status -o json', { status })).out), status);
  t.match(await cli('status -o xml', { status }), { status: 1, err: /use table or json/ });
});

t.test('a pool that contains hosts is taken with a warning', async (t) => {
  const cli = cliOn(createMemoryStore());
  const nodes = [1, 2].map((at) => node(`node${at}`, `{bgp: {ipv4Address: 10.20.0.${at}/24}}`));
  t.equal((await cli('create -f -', { stdin: nodes.join('---\n') })).status, 0);
  const created = await cli('create -f -', { stdin: pool('hosts', '{cidr: 10.20.0.0/16}') });
  t.equal(created.status, 0);
  t.match(created.err, /warning: 10\.20\.0\.0\/16 contains the addresses of node1, node2: /);
  const other = await cli('create -f -', { stdin: pool('other', '{cidr: 10.30.0.0/16}') });
  t.equal(other.err, '');
});
