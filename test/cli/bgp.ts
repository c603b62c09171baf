import t from 'tap';
import type { BirdReply } from '../../src/bird/index.js';
import { Fault } from '../../src/base/index.js';
import { createMemoryStore } from '../fixtures/memory-store.js';
import { cliOn } from '../fixtures/cli-run.js';

const KERNEL: Record<string, string> = {
  '/proc/sys/kernel/osrelease': '6.1.0-18-amd64\n',
  '/proc/modules': 'nf_tables 290816 0 - Live 0x0\nveth 36864 0 - Live 0x0\n',
  '/lib/modules/6.1.0-18-amd64/modules.dep':
    'kernel/net/netfilter/nft_masq.ko: x\nkernel/net/netfilter/nft_ct.ko.xz:\nkernel/drivers/net/vxlan/vxlan.ko:\nkernel/net/netfilter/nft_fib.ko:\n',
  '/lib/modules/6.1.0-18-amd64/modules.builtin': 'kernel/net/netfilter/nf_conntrack.ko\n',
  '/boot/config-6.1.0-18-amd64':
    'CONFIG_NF_NAT=y\nCONFIG_NF_CT_NETLINK=m\n# CONFIG_NET_IPIP is not set\n',
};

/** Rows of `show protocols`. */
function bird(...rows: readonly string[]): BirdReply {
  return {
    code: 0,
    lines: [
      { code: 2002, text: 'Name       Proto      Table      State  Since         Info' },
      ...rows.map((text) => ({ code: 1002, text })),
      { code: 0, text: '' },
    ],
  };
}

const established = 'BGP        ---        up     23:30:04      Established   ';

t.test('node status has the boxed table of each family', async (t) => {
  const cli = cliOn(createMemoryStore());
  const birds = {
    '/run/calico/bird.ctl': bird(
      'kernel4    Kernel     master4    up     23:30:00  ',
      `Mesh_172_16_60_216 ${established}`,
      `Mesh_172_16_60_217 ${established}`,
    ),
  };
  const status = { state: 'ready', bgp: { state: 'running' } };
  t.same(await cli('node status', { birds, status }), {
    status: 0,
    err: '',
    out: `Calico process is running.

IPv4 BGP status
+---------------+-------------------+-------+----------+-------------+
| PEER ADDRESS  | PEER TYPE         | STATE | SINCE    | INFO        |
+---------------+-------------------+-------+----------+-------------+
| 172.16.60.216 | node-to-node mesh | up    | 23:30:04 | Established |
| 172.16.60.217 | node-to-node mesh | up    | 23:30:04 | Established |
+---------------+-------------------+-------+----------+-------------+

IPv6 BGP status
No IPv6 peers found.

`,
  });
  const json = JSON.parse((await cli('node status -o json', { birds, status })).out) as object;
  t.match(json, { running: true, sessions: [{ peer: '172.16.60.216', family: 4 }, {}] });
});

t.test(
  'node status without sessions, without a daemon, with calico-node’s two BIRDs',
  async (t) => {
    const cli = cliOn(createMemoryStore());
    const off = { bgp: { state: 'off', reason: 'networkingBackend is none' } };
    const { out } = await cli('node status', { status: off });
    t.match(out, 'No IPv4 peers found.\n\nIPv6 BGP status\nNo IPv6 peers found.\n');
    t.match(out, 'BGP: networkingBackend is none');
    const gone = new Fault('unavailable', 'no daemon');
    t.same(await cli('node status', { status: gone }), {
      status: 1,
      out: '',
      err: 'Calico process is not running.\n',
    });
    const birds = {
      '/var/run/bird/bird.ctl': bird(`Global_192_0_2_1 ${established}`),
      '/var/run/calico/bird6.ctl': bird(`Node_fd00__1_port_1790 ${established}`),
    };
    const alone = await cli('node status', { status: gone, birds });
    t.equal(alone.status, 1);
    t.match(alone.out, /192\.0\.2\.1 +\| global[^]*\[fd00::1\]:1790 \| node specific/);
    const broken = {
      '/run/calico/bird.ctl': { code: 9001, lines: [{ code: 9001, text: 'what?' }] },
    };
    t.match((await cli('node status', { status: {}, birds: broken })).err, 'BIRD answered "what?"');
    t.match(await cli('node status -o yaml', {}), { status: 1, err: /use table or json/ });
  },
);

t.test('node checksystem names what is missing', async (t) => {
  const cli = cliOn(createMemoryStore());
  const good = await cli('node checksystem', { files: { ...KERNEL, '/usr/sbin/bird': '' } });
  t.equal(good.status, 0, good.err);
  t.match(good.out, 'Checking kernel version...\n\t\t6.1.0-18-amd64      \t\t\t\t\tOK\n');
  t.match(good.out, /\t\tnft_masq +\t+OK\n/);
  t.match(good.out, /\t\tipip +\t+missing \(optional: pools with ipipMode; use vxlanMode\)\n/);
  t.match(good.out, /\t\tbird +\t+OK\nSystem meets minimum system requirements to run Calico!\n$/);
  const old = { ...KERNEL, '/proc/sys/kernel/osrelease': '4.18.0-553.el8\n' };
  const bad = await cli('node checksystem', { files: old });
  t.equal(bad.status, 1);
  t.match(bad.out, /4.18.0-553.el8 +\t+missing: 5.10 or later is needed/);
  t.match(bad.out, /nft_masq +\t+missing\n/);
  t.match(bad.err, "system doesn't meet one or more minimum systems requirements to run Calico\n");
});

t.test('bgp node-mesh shows and switches', async (t) => {
  const cli = cliOn(createMemoryStore());
  t.equal((await cli('bgp node-mesh')).out, 'on\n', 'the default');
  t.same(await cli('bgp node-mesh off'), { status: 0, out: '', err: '' });
  t.equal((await cli('bgp node-mesh')).out, 'off\n');
  t.match((await cli('get bgpconfig')).out, /default +Info +false +-/);
  await cli('bgp node-mesh on');
  await cli(
    `patch bgpconfig default -p '{"spec":{"asNumber":64999,"nodeMeshMaxRestartTime":"90s"}}'`,
  );
  t.equal((await cli('bgp node-mesh off')).status, 0, 'members of the mesh go with it');
  t.match((await cli('get bgpconfig')).out, /default +Info +false +64999/, 'others stay');
  t.match(await cli('bgp node-mesh maybe'), { status: 1, err: /on or off, found "maybe"/ });
});

t.test('bgp peer add, show and remove', async (t) => {
  const cli = cliOn(createMemoryStore());
  t.equal(
    (await cli('bgp peer show')).out,
    'No global IPv4 BGP Peers defined.\n\nNo global IPv6 BGP Peers defined.\n\n',
  );
  t.match(await cli('bgp peer add 172.17.42.40 as 65100'), { status: 0 });
  t.equal(
    (await cli('bgp peer show')).out,
    `+----------------------+--------+
| Global IPv4 BGP Peer | AS Num |
+----------------------+--------+
| 172.17.42.40         | 65100  |
+----------------------+--------+

No global IPv6 BGP Peers defined.

`,
  );
  t.match((await cli('get bgppeer')).out, /172-17-42-40 +172.17.42.40 +\(global\) +65100/);
  t.match(await cli('bgp peer add 172.17.42.40 as 65100'), { status: 1, err: /already exists/ });
  t.match(await cli('bgp peer add fd00::1 as 1.10'), { status: 0 });
  t.match((await cli('bgp peer show --ipv6')).out, /^\+-+\+-+\+\n\| Global IPv6[^]*65546/);
  t.match(JSON.parse((await cli('bgp peer show -o json')).out), [{ peerIP: '172.17.42.40' }, {}]);
  for (const words of ['172.17.42.40 is 65100', '172.17.42.400 as 1', '1.2.3.4 as x']) {
    t.equal((await cli(`bgp peer add ${words}`)).status, 1, words);
  }
  t.match(await cli('bgp peer remove 172.17.42.40'), { status: 0, out: /deleted 1 'BGPPeer'/ });
  t.match(await cli('bgp peer remove 172.17.42.40'), {
    status: 1,
    err: /bgp peer show lists them/,
  });
});

t.test('a peer cannot name a filter that does not exist', async (t) => {
  const cli = cliOn(createMemoryStore());
  const peer =
    'apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 192.0.2.1, asNumber: 1, filters: [f]}\n';
  const filter =
    'apiVersion: projectcalico.org/v3\nkind: BGPFilter\nmetadata: {name: f}\nspec: {importV4: [{action: Reject}]}\n---\n';
  t.match(await cli('create -f -', { stdin: peer }), {
    status: 1,
    err: /Filters = 'f' \(no such BGPFilter exists: create it first\)/,
  });
  t.equal((await cli('create -f -', { stdin: filter + peer })).status, 0);
});

const NODES = ['a', 'b', 'c']
  .map(
    (name) =>
      `apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: ${name}, labels: {rack: r1}}\nspec: {bgp: {ipv4Address: 10.0.0.1/24}}\n`,
  )
  .join('---\n');

t.test('node reflector writes everything that belongs to one', async (t) => {
  const cli = cliOn(createMemoryStore());
  await cli('create -f -', { stdin: NODES });
  const made = await cli('node reflector a --cluster-id 1.0.0.1');
  t.equal(made.status, 0, made.err);
  t.match(made.out, 'calicoctl bgp node-mesh off');
  t.match(JSON.parse((await cli('get node a -o json')).out), {
    metadata: { labels: { rack: 'r1', 'route-reflector': '1.0.0.1' } },
    spec: { bgp: { ipv4Address: '10.0.0.1/24', routeReflectorClusterID: '1.0.0.1' } },
  });
  const peer = async (name: string): Promise<unknown> =>
    (JSON.parse((await cli(`get bgppeer ${name} -o json`)).out) as { spec: unknown }).spec;
  t.same(await peer('route-reflectors'), {
    nodeSelector: 'has(route-reflector)',
    peerSelector: 'has(route-reflector)',
  });
  t.same(await peer('route-reflector-clients-1-0-0-1'), {
    nodeSelector: '!has(route-reflector)',
    peerSelector: "route-reflector == '1.0.0.1'",
  });
  t.match((await cli('node reflector b --cluster-id 1.0.0.1')).err, '', 'a second one of the set');
  t.match(
    (await cli(`node reflector b --cluster-id 1.0.0.1 --clients 'rack == "r1"'`)).err,
    /note: BGPPeer route-reflector-clients-1-0-0-1 exists and stays as it is: !has/,
  );
  await cli(`node reflector b --cluster-id 1.0.0.2 --clients 'rack == "r1"'`);
  t.match(await peer('route-reflector-clients-1-0-0-2'), {
    nodeSelector: '!has(route-reflector) && (rack == "r1")',
  });
  t.match((await cli('node reflector b --remove')).out, 'route-reflector-clients-1-0-0-2 deleted');
  const last = await cli('node reflector a --remove');
  t.match(
    last.out,
    /BGPPeer route-reflector-clients-1-0-0-1 deleted\nBGPPeer route-reflectors del/,
  );
  t.notMatch((await cli('get nodes -o yaml')).out, 'reflector');
  for (const words of ['a', 'a --cluster-id x', 'nobody --cluster-id 1.0.0.1']) {
    t.equal((await cli(`node reflector ${words}`)).status, 1, words);
  }
});
