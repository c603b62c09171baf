import { startBgpLab, type BgpHost } from '../../test/fixtures/bgp-lab.js';
import { until } from '../../test/fixtures/until.js';
import { finding, type HostFinding } from './finding.js';
import { undoing } from './lab.js';

const network = { prefix: 'b'.repeat(12), subnet: '10.20.0.0/16' };

/** From three hosts without daemon, BIRD and routes to every block in every kernel. */
export async function measureMesh(
  rounds: number,
  progress: (line: string) => void,
): Promise<HostFinding> {
  const t = undoing();
  try {
    const lab = await startBgpLab(t, 3, { env: { IP6: 'none' } });
    await lab.apply(
      'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: plain}\nspec: {cidr: 10.20.0.0/16}\n',
    );
    for (const host of lab.hosts) await host.container(network, 'box');
    const complete = async (): Promise<boolean> => {
      for (const host of lab.hosts) if ((await host.birdRoutes()).length !== 3) return false;
      return true;
    };
    await until(complete, 'the first mesh', 30_000);
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(lab.hosts.map(emptied));
      const begin = performance.now();
      await Promise.all(lab.hosts.map((host) => host.restartDaemon()));
      await until(complete, 'the mesh', 30_000);
      times.push((performance.now() - begin) / 1000);
    }
    progress('mesh of three hosts measured');
    return finding(
      {
        ...{ name: 'mesh of three hosts from nothing', unit: 's', bound: 4, direction: 'at most' },
        notes: ['from starting the three daemons to every block in every kernel'],
      },
      times,
    );
  } finally {
    await t.undo();
  }
}

async function emptied(host: BgpHost): Promise<void> {
  await host.daemon().kill();
  const bird = await host.birdPid();
  if (bird !== undefined) await host.host.must('kill', ['-9', String(bird)]);
  await until(async () => (await host.birdPid()) === undefined, 'BIRD to be gone');
  await host.run('ip', ['route', 'flush', 'proto', 'bird']);
}
