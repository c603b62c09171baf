import t from 'tap';
import { checkConfig, loadDaemonConfig, type ConfigInputs } from '../../src/config/index.js';
import { faultOf } from '../fixtures/fault-of.js';

interface Given {
  readonly argv?: string[];
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly host?: string;
}

const inputs = ({
  argv = [],
  env = {},
  files = {},
  host = 'Host-A',
}: Given = {}): ConfigInputs => ({
  argv,
  env,
  readFile: (path) => files[path],
  osHostname: host,
});
const FILE = '/etc/calico/calico-libnetwork.yaml';

t.test('defaults', async (t) => {
  const { config, warnings } = loadDaemonConfig(inputs());
  t.same(warnings, []);
  t.match(config, {
    logLevel: 'info',
    stateDir: '/var/lib/calico',
    runDir: '/run/calico',
    pluginDir: '/run/docker/plugins',
    driverName: 'calico',
    ipamDriverName: 'calico-ipam',
    namespace: 'default',
    scope: 'auto',
    vethMtu: 0,
    interfacePrefix: 'cali',
    createProfiles: true,
    labelEndpoints: true,
    metricsPort: 0,
    adminSocket: '/run/calico/admin.sock',
    bootWaitMs: 120_000,
    callTimeoutMs: 20_000,
    deleteTimeoutMs: 2000,
    reclaim: { enabled: true, minimumAgeMs: 600_000 },
    dataplane: 'auto',
    hostReach: 'own',
    nodeName: { name: 'host-a', source: 'host name' },
    node: { noDefaultPools: false, ipv4Pool: {}, ipv6Pool: {} },
  });
  t.equal(config.datastore, undefined);
  t.equal(config.sources.logLevel, 'default');
});

t.test('the later source wins: file, environment, flags', async (t) => {
  const files = { [FILE]: 'logLevel: debug\nvethMtu: 1400\nreclaim: off\nnamespace: a\n' };
  const env = { CALICO_LIBNETWORK_VETH_MTU: '1450', CALICO_LIBNETWORK_NAMESPACE: 'b' };
  const { config } = loadDaemonConfig(inputs({ files, env, argv: ['--namespace=c'] }));
  t.equal(config.logLevel, 'debug');
  t.equal(config.vethMtu, 1450);
  t.equal(config.namespace, 'c');
  t.equal(config.reclaim.enabled, false);
  t.equal(config.sources.logLevel, FILE);
  t.equal(config.sources.vethMtu, 'CALICO_LIBNETWORK_VETH_MTU');
  t.equal(config.sources.namespace, '--namespace');
  const nested = { [FILE]: 'reclaim: {enabled: on, minimumAge: 1m30s}\n' };
  const age = loadDaemonConfig(inputs({ files: nested })).config.reclaim;
  t.same(age, { enabled: true, minimumAgeMs: 90_000 });
  const off = inputs({ env: { CALICO_LIBNETWORK_RECLAIM: 'off' } });
  t.equal(loadDaemonConfig(off).config.reclaim.enabled, false);
  const other = inputs({ files: { '/x.yaml': 'scope: GLOBAL\n' }, argv: ['--config', '/x.yaml'] });
  t.equal(loadDaemonConfig(other).config.scope, 'global');
});

t.test('every problem is listed, with what would be right', async (t) => {
  const given = inputs({
    files: { [FILE]: 'logLevle: debug\nvethMtu: big\nscope: world\n' },
    env: { NODENAME: 'Bad_Name', CALICO_LIBNETWORK_TYPO: '1', DATASTORE_TYPE: 'bogus' },
  });
  const { ok, lines } = checkConfig(given);
  t.equal(ok, false);
  const text = lines.join('\n');
  t.match(text, /error: .*"logLevle" is no setting; valid: .*logLevel/);
  t.match(
    text,
    /error: vethMtu \(from .*yaml\) must be a whole number from 0 to 65535, found "big"/,
  );
  t.match(text, /error: scope .* must be one of auto, local, global, found "world"/);
  t.match(text, /error: .*Bad_Name/);
  t.match(text, /error: unknown datastore type: bogus/);
  t.match(text, /warning: CALICO_LIBNETWORK_TYPO is no setting/);
  t.match((await faultOf(() => loadDaemonConfig(given))).message, /logLevle.*vethMtu/);
  const flag = await faultOf(() => loadDaemonConfig(inputs({ argv: ['--bogus=1'] })));
  t.match(flag.message, /--bogus.*valid: --config.*--log-level/);
  const missing = await faultOf(() => loadDaemonConfig(inputs({ argv: ['--config=/nope'] })));
  t.match(missing.message, /\/nope does not exist/);
  const same = inputs({ env: { CALICO_CNM: 'x', CALICO_IPAM: 'x' } });
  t.equal(loadDaemonConfig(same).config.ipamDriverName, 'x', 'as in a managed plugin');
  t.equal(checkConfig(inputs()).ok, true);
  t.match(checkConfig(inputs()).lines.join('\n'), /logLevel: "info" {2}# default/);
});

t.test("the predecessors' variables", async (t) => {
  const env = {
    CALICO_LIBNETWORK_ENABLED: 'false',
    CALICO_LIBNETWORK_IFPREFIX: 'eth',
    CALICO_LIBNETWORK_LABEL_POLL_TIMEOUT: '5s',
    CALICO_CNM: 'calico2',
    CALICO_IPAM: 'calico2-ipam',
    CALICO_NETWORKING_BACKEND: 'none',
    IP: '192.0.2.1/24',
    AS: '64999',
    IP_AUTODETECTION_METHOD: 'interface=eth.*',
    NO_DEFAULT_POOLS: 'true',
    CALICO_IPV4POOL_CIDR: '10.0.0.0/16',
    CALICO_IPV4POOL_IPIP: 'Always',
    FELIX_LOGSEVERITYSCREEN: 'Warning',
    FELIX_PROMETHEUSMETRICSENABLED: 'true',
    FELIX_IPINIPMTU: '1400',
    CALICO_STATE_DIR: '/tmp/state',
  };
  const { config, warnings } = loadDaemonConfig(inputs({ env }));
  t.match(config, {
    enabled: false,
    interfacePrefix: 'eth',
    driverName: 'calico2',
    ipamDriverName: 'calico2-ipam',
    networkingBackend: 'none',
    logLevel: 'warn',
    metricsPort: 9091,
    stateDir: '/tmp/state',
    node: {
      ip: '192.0.2.1/24',
      as: '64999',
      ipAutodetectionMethod: 'interface=eth.*',
      noDefaultPools: true,
      ipv4Pool: { cidr: '10.0.0.0/16', ipip: 'Always' },
    },
  });
  t.equal(config.felix['ipinipmtu'], '1400');
  t.equal(warnings.length, 1);
  t.match(warnings[0], /LABEL_POLL_TIMEOUT has no effect/);
});

t.test("Eru's file is an environment below the real one", async (t) => {
  const files = {
    '/etc/eru/minions.conf':
      '# c\nexport ETCD_ENDPOINTS="http://a:2379"\nHOSTNAME=\'eru1\'\nIP=x\n',
  };
  const { config } = loadDaemonConfig(inputs({ files, env: { IP: '192.0.2.9' } }));
  t.match(config.datastore, { type: 'etcdv3', endpoints: ['http://a:2379'] });
  t.equal(config.nodeName.name, 'eru1');
  t.equal(config.node.ip, '192.0.2.9');
});

t.test('the node name rule', async (t) => {
  const files = { '/var/lib/calico/nodename': 'from-file\n' };
  const nameOf = (given: Given): string => loadDaemonConfig(inputs(given)).config.nodeName.name;
  t.equal(nameOf({ files, env: { NODENAME: 'n1', HOSTNAME: 'H' } }), 'n1');
  t.equal(nameOf({ files, env: { HOSTNAME: 'H' } }), 'from-file');
  t.equal(nameOf({ env: { HOSTNAME: 'H2' } }), 'h2');
  t.equal(nameOf({ host: 'OS.Example' }), 'os.example');
  t.equal(nameOf({ files: { [FILE]: 'nodename: set\n' }, env: { HOSTNAME: 'h' } }), 'set');
});
