import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle, IMAGE, type EngineVersion } from '../fixtures/docker-engine.js';
import { OUTSIDE_ADDRESS } from '../fixtures/fabric.js';
import { dumpStore, outline, settled } from '../fixtures/store-view.js';

const versions: readonly EngineVersion[] = ['20.10', '28'];
const BOTH = 'docker network create --driver calico --ipam-driver calico-ipam';
const SUBNET = ['--subnet', '192.168.0.0/16'] as const;

for (const version of versions) {
  const skip = engineObstacle(version) ?? false;
  t.test(`options and drivers that do not fit, engine ${version}`, { skip }, async (t) => {
    const host = await startCalicoHost(t, { version });
    await createNetwork(host, 'net1');
    await runContainer(host, 'kept1', 'net1');
    await runContainer(host, 'kept2', 'net1');
    await runContainer(host, 'plain', 'bridge');
    const before = outline(await dumpStore(host));
    await t.test('unknown options', (t) => unknownOptions(t, host));
    await t.test('calico without calico-ipam', (t) => withoutIpam(t, host));
    t.same(outline(await dumpStore(host)), before, 'nothing of it is in the store');
    await t.test('another driver with calico-ipam', (t) => otherDriver(t, host));
    await t.test('options that there are', (t) => knownOptions(t, host));
    await host.docker('rm', '-f', 'plain');
    await settled(host);
  });
}

async function refused(host: CalicoHost, ...args: readonly string[]): Promise<string> {
  const result = await host.tryDocker(...args);
  if (result.status === 0) throw new Error(`docker ${args.join(' ')} was not refused`);
  return result.stderr;
}

const create = (...args: readonly string[]): readonly string[] => ['network', 'create', ...args];
const OWN = ['--driver', 'calico', '--ipam-driver', 'calico-ipam'] as const;

async function unknownOptions(t: Test, host: CalicoHost): Promise<void> {
  const option = await refused(host, ...create(...OWN, '-o', 'colour=red', 'bad'));
  t.match(option, /unknown network option colour; valid are profile, mtu/);
  const ipam = await refused(host, ...create(...OWN, '--ipam-opt', 'size=3', 'bad'));
  t.match(ipam, /unknown --ipam-opt size/);
  const mtu = await refused(host, ...create(...OWN, '-o', 'mtu=40', 'bad'));
  t.match(mtu, /MTU "40" is no number between 576 and 65535/);
  const connect = ['network', 'connect', '--driver-opt', 'colour=red', 'net1', 'plain'];
  t.match(await refused(host, ...connect), /unknown endpoint option colour; valid are profile/);
  t.notMatch(await host.docker('network', 'ls', '--format', '{{.Name}}'), /^bad$/m);
}

async function withoutIpam(t: Test, host: CalicoHost): Promise<void> {
  for (const more of [[], ['--subnet', '10.9.0.0/24']]) {
    const message = await refused(host, ...create('--driver', 'calico', ...more, 'half'));
    t.match(message, 'the calico driver needs the calico-ipam IPAM driver');
    t.match(message, BOTH, 'the whole command');
  }
}

async function otherDriver(t: Test, host: CalicoHost): Promise<void> {
  const half = ['--driver', 'bridge', '--ipam-driver', 'calico-ipam'] as const;
  // Without a subnet Docker itself refuses; with one it asks nothing that would tell which driver it is for.
  await refused(host, ...create(...half, 'halfbridge'));
  await host.docker(...create(...half, ...SUBNET, 'halfbridge'));
  const message = await refused(host, 'run', '-d', '--net', 'halfbridge', IMAGE, 'true');
  t.match(message, 'calico-ipam gives addresses to calico networks only');
  t.match(message, BOTH, 'the whole command');
  t.ok(await reaches(host, 'kept1', OUTSIDE_ADDRESS), 'containers of calico still get out');
  t.ok(await reaches(host, 'plain', OUTSIDE_ADDRESS), 'and those of Docker’s bridge');
  t.ok(await reaches(host, 'kept1', 'kept2'));
  await host.docker('network', 'rm', 'halfbridge');
  t.ok(await reaches(host, 'kept1', OUTSIDE_ADDRESS), 'after its removal too');
}

async function knownOptions(t: Test, host: CalicoHost): Promise<void> {
  await createNetwork(host, 'small', '-o', 'mtu=1400', '-o', 'profile=shared');
  await createNetwork(
    host,
    'peer',
    '-o',
    'com.docker.network.driver.mtu=1300',
    '-o',
    'profile=shared',
  );
  await runContainer(host, 'small1', 'small');
  const peer = await runContainer(host, 'peer1', 'peer');
  t.match(await host.docker('exec', 'small1', 'ip', 'link', 'show', 'cali0'), 'mtu 1400');
  t.match(await host.docker('exec', 'peer1', 'ip', 'link', 'show', 'cali0'), 'mtu 1300');
  t.ok(await reaches(host, 'small1', peer.address), 'one profile, so they talk');
  await host.docker('rm', '-f', 'small1', 'peer1');
  await host.docker('network', 'rm', 'small', 'peer');
}
