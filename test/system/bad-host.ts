import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { startBareHost } from '../fixtures/bare-host.js';
import type { CalicoHost } from '../fixtures/calico-host.js';
import { engineObstacle, startEngine } from '../fixtures/docker-engine.js';
import { EngineError } from '../fixtures/engine-client.js';
import { IPAM_SOCKET, NETWORK_SOCKET } from '../fixtures/plugin-daemon.js';
import { until } from '../fixtures/until.js';

const skip = engineObstacle('20.10') ?? false;

t.test('sockets and daemons that are there already', { skip }, async (t) => {
  const host = await startEngine({ dockerd: false });
  t.teardown(() => host.stop());
  await t.test('a stale socket file gives way', async (t) => {
    for (const path of [NETWORK_SOCKET, IPAM_SOCKET]) {
      // A listener that is killed leaves its file.
      const script = `require('node:net').createServer().listen('${path}')`;
      const listener = await host.host.spawn(process.execPath, ['-e', script]);
      await until(() => existsSync(host.host.path(path)), 'the listener');
      await listener.end('SIGKILL');
      t.ok(existsSync(host.host.path(path)), 'the file is there');
    }
    const daemon = await host.startDaemon();
    t.equal((await daemon.network.raw('Plugin.Activate')).status, 200);
    await daemon.kill();
    const again = await host.startDaemon();
    t.equal((await again.ipam.raw('Plugin.Activate')).status, 200, 'its own from before too');
    await t.test('a second daemon is refused', (t) => second(t, host, again));
    await again.stop();
    const left = await host.host.run('ls', ['/run/docker/plugins']);
    t.equal(left.stdout, '', 'an orderly end leaves no socket');
  });
});

async function second(
  t: Test,
  host: Awaited<ReturnType<typeof startEngine>>,
  first: Awaited<ReturnType<typeof host.startDaemon>>,
): Promise<void> {
  const another = await host.startDaemon({ wait: false });
  await until(() => !another.process.running(), 'the second daemon to end');
  t.match(another.log(), /another|already|in use/, 'it says why');
  t.match(another.log(), NETWORK_SOCKET, 'and what is taken');
  t.equal((await first.network.raw('Plugin.Activate')).status, 200, 'the first goes on');
  // Other sockets, but the same store.
  const names = { network: 'calico2', ipam: 'calico2-ipam' };
  const beside = await host.startDaemon({
    drivers: names,
    env: { CALICO_LIBNETWORK_RUN_DIR: '/run/calico2', CALICO_LIBNETWORK_CALL_TIMEOUT_MS: '6000' },
  });
  const error: unknown = await beside.ipam
    .call('IpamDriver.RequestPool', { AddressSpace: 'CalicoLocalAddressSpace', Pool: '' })
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  t.match(error, { message: /in use by|used by|process \d+|pid \d+/ });
  await beside.stop();
  t.equal((await first.network.raw('Plugin.Activate')).status, 200);
}

t.test('settings that are wrong', { skip }, async (t) => {
  const host = await startEngine({ dockerd: false });
  t.teardown(() => host.stop());
  const config = 'hostReach: everybody\nvethMtu: many\ncolour: red\n';
  const daemon = await host.startDaemon({ config, wait: false });
  await until(() => !daemon.process.running(), 'the daemon to end');
  t.match(daemon.log(), /hostReach .* must be one of own, all, found "everybody"/);
  t.match(daemon.log(), /vethMtu/, 'every problem at once');
  t.match(daemon.log(), /colour/);
  t.notMatch(daemon.log(), /^ +at /m, 'no stack');
});

const MAC_OPTION = 'com.docker.network.endpoint.macaddress';
const STATE = '/run/small';

t.test('a full disk under the embedded store', { skip }, async (t) => {
  const host = await startBareHost(t, { env: { CALICO_STATE_DIR: STATE } });
  await host.daemon().stop();
  await host.host.must('sh', [
    '-c',
    `rm -rf ${STATE}; mkdir ${STATE}; mount -t tmpfs -o size=2m tmpfs ${STATE}`,
  ]);
  await host.restartDaemon();
  const first = await start(host, 1);
  await host.host.run('sh', ['-c', `dd if=/dev/zero of=${STATE}/fill bs=4k 2>/dev/null`]);
  const refused = await untilRefused(host);
  t.match(refused.message, /disk|space/i, 'a start says what is full');
  t.match(refused.message, STATE, 'and where');
  const stop = await host.daemon().ipam.call('IpamDriver.ReleaseAddress', {
    PoolID: first.PoolID,
    Address: '192.168.255.254',
  });
  t.same(stop, {}, 'a stop is answered');
  t.ok(host.daemon().process.running(), 'the daemon lives');
  await host.host.must('rm', [`${STATE}/fill`]);
  await until(
    () =>
      start(host, 99).then(
        () => true,
        () => false,
      ),
    'starts to work again once there is space',
  );
  await host.daemon().kill();
  await host.restartDaemon();
  await until(
    async () => (await host.calicoctl(['get', 'ippool'])).status === 0,
    'the store to be open',
  );
  const shown = await host.calicoctl(['ipam', 'show', `--ip=${first.address}`]);
  t.match(shown.stdout + shown.stderr, /is in use/, 'what was granted before is still granted');
  const fresh = await start(host, 100);
  t.not(fresh.address, first.address, 'and to nobody else');
});

interface Started {
  readonly PoolID: string;
  readonly address: string;
}

/** Pool, network, address: the writes of a network and of a start. */
async function start(host: CalicoHost, number: number): Promise<Started> {
  const { network, ipam } = host.daemon();
  const hex = number.toString(16).padStart(2, '0');
  const request = { AddressSpace: 'CalicoLocalAddressSpace', Pool: '', SubPool: '', V6: false };
  const { PoolID, Pool } = await ipam.call('IpamDriver.RequestPool', request);
  const NetworkID = hex.repeat(32);
  const IPv4Data = [{ AddressSpace: 'CalicoLocalAddressSpace', Pool, Gateway: '' }];
  await network.call('NetworkDriver.CreateNetwork', { NetworkID, Options: {}, IPv4Data });
  const Options = { [MAC_OPTION]: `02:42:00:00:02:${hex}` };
  const { Address } = await ipam.call('IpamDriver.RequestAddress', {
    PoolID,
    Address: '',
    Options,
  });
  return { PoolID: String(PoolID), address: String(Address).split('/')[0] ?? '' };
}

/** The file has some free pages of its own: starts go on for a while. */
async function untilRefused(host: CalicoHost): Promise<EngineError> {
  for (let number = 2; number < 90; number += 1) {
    try {
      await start(host, number);
    } catch (error) {
      if (error instanceof EngineError) return error;
      throw error;
    }
  }
  throw new Error('the disk never got full');
}
