import { join } from 'node:path';
import t from 'tap';
import { engineObstacle, IMAGE, startEngine, type Engine } from '../fixtures/docker-engine.js';
import { findProgram } from '../fixtures/lab-host.js';
import { until } from '../fixtures/until.js';

const peers = process.env['PEERS'] ?? '';
const skip =
  engineObstacle('20.10') ??
  (peers === '' ? 'PEERS names no folder with the real calicoctl and calico' : undefined) ??
  (findProgram('ipset') === undefined ? 'ipset is not installed, and Felix needs it' : false);
const ETCD = { DATASTORE_TYPE: 'etcdv3', ETCD_ENDPOINTS: 'http://127.0.0.1:2379' };
const POOL = JSON.stringify({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: 'theirs' },
  spec: { cidr: '10.66.0.0/16', natOutgoing: true },
});

async function theirs(engine: Engine, args: readonly string[], stdin = ''): Promise<string> {
  const result = await engine.run(join(peers, 'calicoctl'), args, { env: ETCD, stdin });
  if (result.status !== 0)
    throw new Error(`calicoctl ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

t.test('the real calicoctl and Felix beside our daemon', { skip }, async (t) => {
  const engine = await startEngine({ etcd: true });
  t.teardown(() => engine.stop());
  await engine.startDaemon({ env: ETCD });
  await until(async () => (await theirs(engine, ['get', 'nodes'])).includes('node1'), 'our Node');
  await theirs(engine, ['create', '-f', '-'], POOL);
  await engine.docker(
    ...['network', 'create', '--driver', 'calico', '--ipam-driver', 'calico-ipam'],
    ...['--subnet', '10.66.0.0/16', 'net1'],
  );
  await engine.docker('run', '-d', '--name', 'web', '--net', 'net1', IMAGE, 'sleep', '1000');
  const format =
    '{{.NetworkSettings.Networks.net1.IPAddress}} {{.NetworkSettings.Networks.net1.EndpointID}}';
  const [address = '', endpointId = ''] = (
    await engine.docker('inspect', '-f', format, 'web')
  ).split(' ');
  const interfaceName = `cali${endpointId.slice(0, 11)}`;

  await t.test('it reads what we wrote, and we use what it made', async (t) => {
    t.match(address, /^10\.66\./, 'its pool gives the address');
    const endpoints = await theirs(engine, ['get', 'wep', '-A', '-o', 'wide']);
    for (const text of [`${address}/32`, 'node1', interfaceName, 'net1']) t.match(endpoints, text);
    t.match(
      await theirs(engine, ['get', 'profile', 'net1', '-o', 'yaml']),
      /labelsToApply:\s+net1: ""/,
    );
    const blocks = await theirs(engine, ['ipam', 'show', '--show-blocks']);
    t.match(blocks, /IP Pool +\| 10\.66\.0\.0\/16/);
    t.match(blocks, /Block +\| 10\.66\.\d+\.\d+\/26 +\| +64 \| +1 \(2%\)/);
    const holder = await theirs(engine, ['ipam', 'show', `--ip=${address}`]);
    t.match(holder, 'is in use');
    t.match(holder, /docker\.node1\.[0-9a-f]{32}/);
    t.match(
      await theirs(engine, ['get', 'pools', '-o', 'wide']),
      /default-ipv4-ippool +192\.168\.0\.0\/16/,
    );
  });

  await t.test('Felix programs our endpoint', async (t) => {
    const felix = await engine.host.spawn(join(peers, 'calico'), ['component', 'felix'], {
      env: {
        ...ETCD,
        CALICO_DATASTORE_TYPE: 'etcdv3',
        FELIX_DATASTORETYPE: 'etcdv3',
        FELIX_ETCDENDPOINTS: 'http://127.0.0.1:2379',
        FELIX_FELIXHOSTNAME: 'node1',
        FELIX_IPV6SUPPORT: 'false',
        FELIX_BPFENABLED: 'false',
        FELIX_XDPENABLED: 'false',
        FELIX_DebugSkipCTLBCleanup: 'true',
        FELIX_USAGEREPORTINGENABLED: 'false',
        FELIX_LOGFILEPATH: 'none',
        FELIX_LOGSEVERITYSCREEN: 'info',
        FELIX_NFTABLESMODE: 'Enabled',
      },
    });
    t.teardown(() => felix.end('SIGKILL'));
    const rules = async (): Promise<string> =>
      (await engine.run('nft', ['list', 'table', 'ip', 'calico'])).stdout;
    await until(
      async () => (await rules()).includes(interfaceName),
      `Felix's rules for ${interfaceName}`,
      40_000,
    );
    const programmed = await rules();
    t.match(programmed, new RegExp(`cali-tw-${interfaceName}`), 'rules towards the container');
    t.match(programmed, address.split('.').slice(0, 3).join('.'), 'our address is in its sets');
    const ping = await engine.run('ping', ['-c', '1', '-W', '2', address]);
    t.equal(ping.status, 0, 'and the host still reaches the container');
  });
});
