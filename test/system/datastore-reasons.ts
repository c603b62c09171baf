import t, { type Test } from 'tap';
import { ETCD_ENVIRONMENT } from '../fixtures/calico-host.js';
import { engineObstacle, startEngine, type Engine } from '../fixtures/docker-engine.js';
import { EngineError } from '../fixtures/engine-client.js';
import type { PluginDaemon } from '../fixtures/plugin-daemon.js';
import { until } from '../fixtures/until.js';

const REQUEST = { AddressSpace: 'CalicoLocalAddressSpace', Pool: '', SubPool: '', V6: false };

/** What stands in the environment, and what the answer to a call must say then. */
const reasons: Readonly<Record<string, readonly [Readonly<Record<string, string>>, RegExp]>> = {
  refused: [{ ETCD_ENDPOINTS: 'http://127.0.0.1:2999' }, /connection refused/],
  'every endpoint that was tried': [
    { ETCD_ENDPOINTS: 'http://127.0.0.1:2998,http://127.0.0.1:2999' },
    /127\.0\.0\.1:2998.*127\.0\.0\.1:2999/,
  ],
  'no such name': [{ ETCD_ENDPOINTS: 'http://etcd.invalid:2379' }, /etcd\.invalid/],
  TLS: [{ ETCD_ENDPOINTS: 'https://127.0.0.1:2379' }, /TLS/i],
  authentication: [{ ETCD_USERNAME: 'calico', ETCD_PASSWORD: 'wrong' }, /authenticat/i],
};

t.test('why etcd cannot be used is told', { skip: engineObstacle('20.10') ?? false }, async (t) => {
  const host = await startEngine({ dockerd: false, etcd: true });
  t.teardown(() => host.stop());
  const auth = ['user add root:right', 'user grant-role root root', 'auth enable'];
  for (const [name, [env, pattern]] of Object.entries(reasons)) {
    if (name === 'authentication') {
      for (const line of auth) {
        await host.host.must('etcdctl', line.split(' '), { env: { ETCDCTL_API: '3' } });
      }
    }
    await t.test(name, async (t) => {
      const daemon = await start(t, host, env);
      const started = performance.now();
      const message = await refusal(daemon);
      t.ok(performance.now() - started < 10_000, 'within the bound that is set');
      t.match(message, pattern);
      t.match(message, /goes on trying|check user and password/, 'what to expect, or to do');
      t.notMatch(message, /wrong/, 'no password');
      t.notMatch(daemon.log(), /"wrong"|:wrong/);
      t.equal((await daemon.network.raw('Plugin.Activate')).status, 200, 'Activate is answered');
    });
  }
});

async function start(
  t: Test,
  host: Engine,
  env: Readonly<Record<string, string>>,
): Promise<PluginDaemon> {
  const bounds = {
    CALICO_LIBNETWORK_CALL_TIMEOUT_MS: '6500',
    CALICO_LIBNETWORK_BOOT_WAIT_MS: '6500',
  };
  const daemon = await host.startDaemon({ env: { ...ETCD_ENVIRONMENT, ...bounds, ...env } });
  t.teardown(() => daemon.kill());
  return daemon;
}

async function refusal(daemon: PluginDaemon): Promise<string> {
  const error: unknown = await daemon.ipam.call('IpamDriver.RequestPool', REQUEST).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error.message;
  throw new Error(`not refused: ${String(error)}`);
}

t.test(
  'a datastore that is not the one of before',
  { skip: engineObstacle('20.10') ?? false },
  async (t) => {
    const host = await startEngine({ dockerd: false, etcd: true });
    t.teardown(() => host.stop());
    const first = await start(t, host, {});
    await first.ipam.call('IpamDriver.RequestPool', REQUEST);
    const etcdctl = (...args: readonly string[]): Promise<string> =>
      host.host.must('etcdctl', args, { env: { ETCDCTL_API: '3' } });
    await first.stop();
    await etcdctl('del', '--prefix', '/calico/');
    // The first client of Calico's makes another cluster of it.
    const pool = `{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: theirs}, spec: {cidr: 10.99.0.0/24}}`;
    const made = await host.calicoctl(['create', '-f', '-'], pool);
    t.equal(made.status, 0, made.stderr);
    const second = await start(t, host, {});
    await until(() => second.log().includes('not ready'), 'the refusal');
    const message = await refusal(second);
    t.match(
      message,
      /is cluster [0-9a-f]{32}, but this host belongs to cluster [0-9a-f]{32}/,
      'what was found',
    );
    t.match(message, /restore that one; or, .* remove .*datastore\.json/, 'what to do');
  },
);
