// Runs the checks and tests and ends with the line `N passed, N failed, N skipped`.
//
//   node --import tsx scripts/test/main.ts [--long] [--seconds N] [TEXT...]
//
//   --long       the long tests (test/long) instead of the usual ones
//   --seconds N  start no further test file after N seconds (those left count as skipped)
//   TEXT...      only test files whose path holds one of the texts, without the checks
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { leftovers, RUN_MARK, takePicture } from './leftovers.js';
import { runFile } from './run-file.js';
import { add, emptyTally, summaryLine } from './tally.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { long: { type: 'boolean', default: false }, seconds: { type: 'string' } },
});
// Inherited by everything that the tests start.
process.env[RUN_MARK] = String(process.pid);
const begin = performance.now();
const limitMs = values.seconds === undefined ? Infinity : Number(values.seconds) * 1000;
const total = emptyTally();
const troubles: string[] = [];

interface Stage {
  readonly name: string;
  readonly files: readonly string[];
  readonly jobs: number;
  readonly timeoutSeconds: number;
}

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const elapsed = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

function testFiles(): string[] {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.split('/').includes('fixtures'))
    .map((path) => `test/${path}`)
    .filter((path) => positionals.length === 0 || positionals.some((text) => path.includes(text)))
    .sort();
}

function stages(): Stage[] {
  const files = testFiles();
  const below = (folder: string): string[] =>
    files.filter((path) => path.startsWith(`test/${folder}/`));
  const special = ['integration', 'system', 'long'];
  const unit = files.filter(
    (path) => !special.some((folder) => path.startsWith(`test/${folder}/`)),
  );
  const two = Math.min(2, cpus().length);
  if (values.long) {
    return [{ name: 'long', files: below('long'), jobs: 1, timeoutSeconds: 2400 }];
  }
  return [
    { name: 'unit and contract', files: unit, jobs: two, timeoutSeconds: 120 },
    { name: 'integration', files: below('integration'), jobs: 1, timeoutSeconds: 240 },
    { name: 'system', files: below('system'), jobs: 1, timeoutSeconds: 420 },
  ];
}

/** A check is one passed or failed item; what it prints is shown when it fails. */
async function check(name: string, program: string, ...args: readonly string[]): Promise<void> {
  const since = performance.now();
  let output = '';
  const status = await new Promise<number>((resolve) => {
    const child = spawn(`node_modules/.bin/${program}`, [...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.on('error', () => resolve(127));
    child.on('close', (code) => resolve(code ?? 1));
  });
  print(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${elapsed(since)})`);
  add(total, { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 });
  if (status === 0) return;
  print(output.split('\n').slice(0, 120).join('\n'));
  troubles.push(`${name}: ${program} ended with status ${status}`);
}

/** `share`: of the time that is left, which those after it need too. */
async function runOne(file: string, timeoutSeconds: number, share: number): Promise<void> {
  if (performance.now() - begin > limitMs) {
    total.skipped += 1;
    print(`SKIP ${file}: no time left`);
    return;
  }
  // Tests whose load has no natural end make it as long as there is time.
  const left = (share * (limitMs - (performance.now() - begin))) / 1000;
  if (Number.isFinite(left)) process.env['CALICO_TEST_SECONDS'] = String(Math.floor(left));
  const { tally, seconds, stderr } = await runFile(file, timeoutSeconds);
  add(total, tally);
  const counts = `${tally.passed} passed${tally.failed > 0 ? `, ${tally.failed} failed` : ''}`;
  print(`${tally.failed === 0 ? 'ok  ' : 'FAIL'} ${file}: ${counts} (${seconds.toFixed(1)} s)`);
  for (const skip of tally.skips) print(`     skipped: ${skip}`);
  for (const failure of tally.failures) {
    print(`  not ok: ${failure}`);
    troubles.push(`${file}: ${failure.split('\n', 1)[0]}`);
  }
  if (tally.failed > 0 && stderr !== '') {
    print(['  standard error:', ...stderr.trimEnd().split('\n').slice(-30)].join('\n    '));
  }
}

async function runStage(stage: Stage): Promise<void> {
  if (stage.files.length === 0) return;
  print(`\n${stage.name}: ${stage.files.length} files, ${stage.jobs} at a time`);
  let before = await takePicture();
  const compare = async (who: string): Promise<void> => {
    const left = await leftovers(before);
    if (left.length === 0) return;
    total.failed += 1;
    print(`FAIL left behind by ${who}:\n  ${left.join('\n  ')}`);
    troubles.push(
      `${who} left behind: ${left[0]}${left.length > 1 ? ` and ${left.length - 1} more` : ''}`,
    );
    before = await takePicture();
  };
  const queue = [...stage.files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      await runOne(file, stage.timeoutSeconds, 1 / (queue.length + 1));
      if (stage.jobs === 1) await compare(file);
    }
  };
  await Promise.all(Array.from({ length: stage.jobs }, worker));
  if (stage.jobs > 1) await compare(`the stage "${stage.name}"`);
}

if (!values.long && positionals.length === 0) {
  await check('types (tsc)', 'tsc', '-p', '.');
  await check('lint (oxlint)', 'oxlint', '--type-aware', '--deny-warnings', '--format=unix');
  await check('format (prettier)', 'prettier', '--check', '--log-level', 'warn', '.');
}
if (existsSync('test')) for (const stage of stages()) await runStage(stage);
if (positionals.length > 0 && total.passed + total.failed + total.skipped === 0) {
  total.failed += 1;
  troubles.push(`no test file matches ${positionals.join(' ')}`);
}
print(`\n${elapsed(begin)} in all.`);
for (const trouble of troubles) print(`failed: ${trouble}`);
process.exitCode = total.failed === 0 ? 0 : 1;
print(summaryLine(total));
