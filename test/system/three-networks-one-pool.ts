import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, ping, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle } from '../fixtures/docker-engine.js';
import { capture, decidingChain, packetsOf } from '../fixtures/kernel-view.js';
import { dumpStore, settled } from '../fixtures/store-view.js';

const POOL = `- apiVersion: v1
  kind: ipPool
  metadata:
    cidr: 10.20.0.0/24
  spec:
    ipip:
      enabled: true
    nat-outgoing: true
    disabled: false
`;

for (const store of ['embedded', 'etcd'] as const) {
  t.test(`three networks on one pool, ${store}`, { skip: engineObstacle('20.10') ?? false }, (t) =>
    threeNetworks(t, store),
  );
}

async function threeNetworks(t: Test, store: 'embedded' | 'etcd'): Promise<void> {
  const host = await startCalicoHost(t, { store });
  const created = await host.calicoctl(['create', '-f', '-'], POOL);
  t.equal(created.stdout, "Successfully created 1 'ipPool' resource(s)\n", created.stderr);
  t.match((await host.calicoctl(['get', 'ipPool'])).stdout, /10\.20\.0\.0\/24/);
  for (const name of ['net1', 'net2', 'net3']) {
    await createNetwork(host, name, '--subnet', '10.20.0.0/24');
  }
  const pools = (await dumpStore(host)).get(poolKey('10-20-0-0-24'));
  const placed = [
    ['workload-A', 'net1'],
    ['workload-B', 'net2'],
    ['workload-C', 'net1'],
    ['workload-D', 'net3'],
    ['workload-E', 'net1'],
  ] as const;
  const running = new Map<string, Awaited<ReturnType<typeof runContainer>>>();
  for (const [name, network] of placed) {
    const attached = await runContainer(host, name, network);
    t.match(attached.address, /^10\.20\.0\.\d+$/, name);
    running.set(name, attached);
  }

  for (const peer of ['workload-C', 'workload-E']) {
    const { received, ttl } = await ping(host, 'workload-A', `${peer}.net1`);
    t.same({ received, ttl }, { received: 2, ttl: 63 }, `A reaches ${peer}.net1`);
  }
  for (const peer of ['workload-B', 'workload-D']) {
    await denied(t, host, running.get('workload-A')!, running.get(peer)!);
  }
  t.equal((await dumpStore(host)).get(poolKey('10-20-0-0-24')), pools, 'the pool is as it was');

  await host.docker('rm', '-f', ...placed.map(([name]) => name));
  await settled(host);
  await host.docker('network', 'rm', 'net1');
  await runContainer(host, 'later', 'net2');
  await settled(host);
}

const poolKey = (name: string): string => `/calico/resources/v3/projectcalico.org/ippools/${name}`;

async function denied(
  t: Test,
  host: CalicoHost,
  from: { readonly container: string; readonly hostInterface: string },
  to: { readonly container: string; readonly hostInterface: string; readonly address: string },
): Promise<void> {
  const chain = await decidingChain(host.host, 'to-wl', to.hostInterface);
  const before = await packetsOf(host.host, chain, 'no profile matched');
  const seen = await capture(
    host.host,
    from.hostInterface,
    `icmp and dst ${to.address}`,
    async () => {
      t.notOk(
        await reaches(host, from.container, to.address),
        `${from.container} to ${to.container}`,
      );
    },
  );
  t.equal(seen.length, 2, 'the requests were sent');
  t.equal(await packetsOf(host.host, chain, 'no profile matched'), before + 2, 'and denied');
}
