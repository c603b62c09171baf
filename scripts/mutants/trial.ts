import { spawn } from 'node:child_process';

export interface Outcome {
  /** The first test file that failed; undefined: none did. */
  readonly killedBy?: string;
}

/** Quick ones first: the rendered text, meaning by random histories, packets. What lives is run through all. */
const TESTS: readonly string[] = [
  'test/agent/policy/rendered-table.ts',
  'test/agent/policy/policy.ts',
  'test/agent/policy/policy-facts.ts',
  'test/agent/probe-rules.ts',
  'test/agent/create-agent.ts',
  'test/integration/policy-matches.ts',
  'test/integration/policy-tiers.ts',
  'test/integration/policy-host.ts',
  'test/integration/hostile-container.ts',
  'test/integration/policy-established.ts',
  'test/integration/policy-random.ts',
];

/** A test that does not end is as good as one that fails. */
const BOUND_MS = 180_000;

/** Runs the tests in a folder of changed sources until one fails. @param quick without packets */
export async function judge(folder: string, quick: boolean): Promise<Outcome> {
  for (const test of TESTS) {
    if (quick && test.includes('/integration/')) continue;
    if (await passes(folder, test)) continue;
    // Packets can be late on a busy machine.
    if (!test.includes('/integration/') || !(await passes(folder, test))) return { killedBy: test };
  }
  return {};
}

function passes(folder: string, test: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import=tsx', test], {
      cwd: folder,
      stdio: 'ignore',
      env: { ...process.env, TAP_BAIL: '1', CALICO_TEST_RUNS: '150', TAP_TIMEOUT: '240' },
      timeout: BOUND_MS,
      killSignal: 'SIGKILL',
    });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code === 0));
  });
}
