import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import t from 'tap';
import { ipipObstacle } from '../fixtures/ipip-obstacle.js';

/** What scripts/machine.sh ends with where there can be no such machine. */
const NO_MACHINE = 77;
const BOUND_SECONDS = 1500;
const SECONDS = Number(process.env['CALICO_TEST_SECONDS'] ?? Infinity);

/** In one file: an emulated processor takes minutes to read the many. */
async function bundled(): Promise<string> {
  const outfile = join('dist', 'ipip-test.mjs');
  await build({
    ...{ entryPoints: ['test/integration/ipip.ts'], outfile },
    ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external' },
    logLevel: 'silent',
  });
  return outfile;
}

t.test('IPIP, with the kernel that has it', { timeout: (BOUND_SECONDS + 60) * 1000 }, async (t) => {
  if (ipipObstacle() === undefined) {
    t.pass('this kernel has IPIP itself: test/integration/ipip.ts has run');
    return;
  }
  if (SECONDS < BOUND_SECONDS) {
    t.pass('IPIP was not tried', { skip: `it may take ${BOUND_SECONDS} s, and has ${SECONDS}` });
    return;
  }
  const file = await bundled();
  t.teardown(() => rmSync(file));
  const program = ['env', 'TAP_TIMEOUT=1200', process.execPath, file];
  const { status, stdout, stderr } = spawnSync('sh', ['scripts/machine.sh', ...program], {
    ...{ encoding: 'utf8', maxBuffer: 1 << 26 },
    env: { ...process.env, MACHINE_SECONDS: String(BOUND_SECONDS) },
  });
  if (status === NO_MACHINE) {
    t.pass('IPIP was not tried', { skip: `no machine that has it: ${stderr.trim()}` });
    return;
  }
  t.match(stdout, /^ +ok 1 - IPIP to another host/m, 'it ran, and passed');
  t.notMatch(stdout, /not ok|# SKIP/, 'as a whole');
  t.equal(status, 0);
  if (!t.passing()) t.comment(stdout.slice(-4000), stderr.slice(-2000));
});
