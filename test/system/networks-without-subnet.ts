import t, { type Test } from 'tap';
import { startCalicoHost, type CalicoHost } from '../fixtures/calico-host.js';
import { createNetwork, reaches, runContainer } from '../fixtures/containers.js';
import { engineObstacle } from '../fixtures/docker-engine.js';
import { dumpStore, endpoints, profile, settled } from '../fixtures/store-view.js';
import { until } from '../fixtures/until.js';

/** What a user applies: v1, with rules that differ from those of an automatic profile. */
const profileOf = (role: string, from: string): string => `apiVersion: v1
kind: profile
metadata:
  name: ${role}
  labels:
    role: ${role}
spec:
  ingress:
  - action: allow
    source:
      selector: role == '${from}'
  egress:
  - action: allow
---
`;

for (const store of ['embedded', 'etcd'] as const) {
  t.test(`networks without a subnet, ${store}`, { skip: engineObstacle('20.10') ?? false }, (t) =>
    userProfiles(t, store),
  );
}

async function userProfiles(t: Test, store: 'embedded' | 'etcd'): Promise<void> {
  const host = await startCalicoHost(t, { store });
  await createNetwork(host, 'database');
  await createNetwork(host, 'frontend');
  // One network has an automatic profile when the user's arrives, the other has none yet.
  await runContainer(host, 'db1', 'database');
  t.match(profile(await dumpStore(host), 'database'), {
    spec: { labelsToApply: { database: '' } },
  });
  const text = profileOf('database', 'frontend') + profileOf('frontend', 'frontend');
  const applied = await host.calicoctl(['apply', '-f', '-'], text);
  t.equal(applied.status, 0, applied.stderr);
  const own = await specs(host);
  t.match(own, [{ labelsToApply: { role: 'database' } }, { labelsToApply: { role: 'frontend' } }]);

  const db2 = await runContainer(host, 'db2', 'database');
  const web1 = await runContainer(host, 'web1', 'frontend');
  const web2 = await runContainer(host, 'web2', 'frontend');
  await carry(t, host);
  await t.test('the user’s rules decide', async (t) => {
    t.ok(await reaches(host, 'web1', web2.address), 'frontend to frontend');
    t.ok(await reaches(host, 'web1', db2.address), 'frontend to database');
    t.notOk(await reaches(host, 'db1', db2.address), 'not within database');
    t.notOk(await reaches(host, 'db2', web1.address), 'not database to frontend');
  });

  await t.test('nothing reverts what the user applied', async (t) => {
    t.same(await specs(host), own, 'after further containers');
    await host.daemon().kill();
    await host.restartDaemon();
    await runContainer(host, 'db3', 'database');
    await carry(t, host);
    t.same(await specs(host), own, 'after a restart of the daemon');
    t.notOk(await reaches(host, 'db3', db2.address));
    await host.docker('rm', '-f', 'db1', 'db2', 'db3');
    await host.docker('network', 'rm', 'database');
    await createNetwork(host, 'database');
    await runContainer(host, 'db4', 'database');
    t.same(await specs(host), own, 'after the network went and came');
    await settled(host);
  });
}

async function specs(host: CalicoHost): Promise<readonly unknown[]> {
  const dump = await dumpStore(host);
  return ['database', 'frontend'].map((name) => profile(dump, name)?.['spec']);
}

/** Every endpoint has the one profile that is named as its network. */
async function carry(t: Test, host: CalicoHost): Promise<void> {
  const profiles = async (): Promise<readonly string[]> =>
    [...endpoints(await dumpStore(host)).values()].map(({ metadata, spec }) =>
      [metadata.annotations?.['calico-libnetwork/network-name'], ...spec.profiles].join(' '),
    );
  await until(
    async () => (await profiles()).every((one) => /^(\w+) \1$/.test(one)),
    'each endpoint to carry the profile of its network',
  );
  t.ok((await profiles()).includes('database database'));
}
