import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import t from 'tap';
import { labObstacle, startLabHost } from '../fixtures/lab-host.js';
import { waitFor } from '../fixtures/lab-process.js';

t.test(
  'a killed test leaves no process, and its files go with the next lab host',
  { skip: labObstacle() ?? false },
  async (t) => {
    const program =
      "const { startLabHost } = await import('./test/fixtures/lab-host.ts'); const host = await startLabHost('doomed'); console.log(host.pid, host.dir); setInterval(() => 0, 1000);";
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await waitFor('the doomed host', () => said.includes('\n'), 20_000);
    const [pid, dir = ''] = said.trim().split(' ');
    t.ok(existsSync(`/proc/${pid}`));
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await waitFor('the namespaces to die', () => !existsSync(`/proc/${pid}/ns/net`));
    t.ok(existsSync(dir), 'files outlive it');
    const host = await startLabHost('next');
    t.teardown(() => host.stop());
    t.notOk(existsSync(dir), 'until somebody needs a lab host again');
    t.ok(existsSync(host.dir));
  },
);
