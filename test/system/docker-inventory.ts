import t, { type Test } from 'tap';
import { silentLog, systemClock } from '../../src/base/index.js';
import { createDockerInventory, type DockerInventory } from '../../src/docker/index.js';
import {
  engineObstacle,
  IMAGE,
  startEngine,
  type Engine,
  type EngineVersion,
} from '../fixtures/docker-engine.js';
import { until } from '../fixtures/until.js';

const versions: readonly EngineVersion[] = ['20.10', '26', '28'];
const LABEL = 'org.projectcalico.label.app';

/** The inventory looks at bridge networks here: what it reads of them is the same for every driver. */
function watch(t: Test, engine: Engine): DockerInventory {
  const inventory = createDockerInventory({
    socketPath: `/proc/${engine.host.pid}/root/run/docker.sock`,
    driverName: 'bridge',
    ipamDriverName: 'calico-ipam',
    log: silentLog,
    clock: systemClock,
    signal: new AbortController().signal,
    pauseMs: { first: 20, last: 200 },
  });
  t.teardown(() => inventory.stop());
  return inventory;
}

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

for (const version of versions) {
  t.test(
    `inventory of engine ${version}`,
    { skip: engineObstacle(version) ?? false },
    async (t) => {
      const engine = await startEngine({ version });
      t.teardown(() => engine.stop());
      const inventory = watch(t, engine);
      await inventory.ready(soon());
      t.match(inventory.status(), {
        state: 'connected',
        engine: { version: new RegExp(`^${version}`) },
      });

      const id = await engine.docker(
        'network',
        'create',
        '--label',
        'a=b',
        '--subnet',
        '10.77.0.0/24',
        'Net_One',
      );
      t.equal(await inventory.waitFor(id, 1_000), 'Net_One');
      await until(() => inventory.networks().some((network) => network.id === id), 'the list');
      const network = inventory.networks().find((one) => one.id === id);
      t.match(network, {
        name: 'Net_One',
        driver: 'bridge',
        internal: false,
        labels: { a: 'b' },
        subnets: [{ subnet: '10.77.0.0/24' }],
      });

      const container = await engine.docker(
        'run',
        '-d',
        '--name',
        'web',
        '--label',
        `${LABEL}=web`,
        '--net',
        'Net_One',
        IMAGE,
        'sleep',
        '1000',
      );
      const inspected = JSON.parse(await engine.docker('inspect', 'web')) as {
        NetworkSettings: { Networks: Record<string, { EndpointID: string; IPAddress: string }> };
      }[];
      const attached = inspected[0]?.NetworkSettings.Networks['Net_One'];
      t.ok(attached);
      const endpointId = attached?.EndpointID ?? '';
      await until(() => inventory.endpoint(endpointId) !== undefined, 'the started container');
      t.match(inventory.endpoint(endpointId), {
        networkId: id,
        networkName: 'Net_One',
        containerId: container,
        containerName: 'web',
        labels: { [LABEL]: 'web' },
        addresses: [attached?.IPAddress],
      });

      const second = await engine.docker('network', 'create', 'two');
      await engine.docker('network', 'connect', 'two', 'web');
      await until(
        () => inventory.endpoints().some((one) => one.networkId === second),
        'a live connect',
      );
      await engine.docker('rename', 'web', 'web2');
      await until(() => inventory.endpoint(endpointId)?.containerName === 'web2', 'the new name');

      const look = await inventory.look(soon());
      t.ok(look.endpointIds.has(endpointId));
      t.ok(look.addresses.has(attached?.IPAddress ?? ''));
      t.equal(look.endpointIds.size, 2);

      await engine.docker('network', 'disconnect', 'two', 'web2');
      await until(() => inventory.endpoints().length === 1, 'the disconnect');
      await engine.stopDockerd('SIGKILL');
      await until(() => inventory.status().state === 'unreachable', 'the loss');
      t.equal(inventory.nameOf(id), 'Net_One', 'what was known is kept meanwhile');
      await engine.startDockerd();
      await until(() => inventory.status().state === 'connected', 'dockerd to be back', 30_000);
      await until(() => inventory.endpoints().length === 0, 'the killed container to be gone');
      await engine.docker('network', 'rm', 'two');
      await until(() => inventory.nameOf(second) === undefined, 'the removal');
      t.equal(inventory.nameOf(id), 'Net_One');
    },
  );
}
