// Changes the calculation and the renderer of policy in small ways, one at a time, and runs the tests against each:
// what lives is something that no test looks at.
//
//   npm run mutants -- [--count N] [--seed N] [--seconds N] [--jobs N] [--write FILE] [--list] [TEXT...]
//
//   --count N    so many, chosen by the seed; 120 unless told
//   --seconds N  begin no further one after N seconds
//   --write FILE the outcome as text, one line each
//   --list       only print them
//   --quick      without the tests that send packets
//   TEXT...      only those whose line holds one of the texts
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { equivalents } from './equivalents.js';
import { applied, idOf, mutantsOf, type Mutant } from './operators.js';
import { judge, type Outcome } from './trial.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    write: { type: 'string' },
    list: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});

const FOLDER = 'src/agent/policy';

function allMutants(): Mutant[] {
  const files = readdirSync(FOLDER).filter((name) => !['index.ts', 'ports.ts'].includes(name));
  return [...files.sort().map((name) => `${FOLDER}/${name}`), 'src/agent/table-text.ts'].flatMap(
    (file) => mutantsOf(file, readFileSync(file, 'utf8')),
  );
}

/** Mulberry32: the same order for the same seed everywhere. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return list
    .map((one) => ({ one, rank: next() }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ one }) => one);
}

/** A copy of what tests need, so that nobody sees the changes. */
function copyOfSources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'calico-mutants-'));
  for (const name of ['src', 'test', 'tap-snapshots', 'package.json', 'tsconfig.json']) {
    cpSync(name, join(copy, name), { recursive: true });
  }
  symlinkSync(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

const wanted = (one: Mutant): boolean =>
  positionals.length === 0 || positionals.some((text) => idOf(one).includes(text));
const reasons = new Map(equivalents);
const all = allMutants();
const chosen = shuffled(all, Number(values.seed)).slice(0, Number(values.count)).filter(wanted);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const lines: string[] = [];
const tell = (mutant: Mutant, outcome: string): void => {
  const line = `${outcome}\t${idOf(mutant)}`;
  lines.push(line);
  print(line);
};

if (values.list) {
  for (const one of chosen) print(idOf(one));
  print(`${chosen.length} of ${all.length}`);
  process.exit();
}

const begun = performance.now();
const limit = values.seconds === undefined ? Infinity : Number(values.seconds) * 1000;
const queue = [...chosen];
const living: string[] = [];
let tried = 0;

async function work(): Promise<void> {
  const copy = copyOfSources();
  try {
    const { killedBy } = await judge(copy, values.quick);
    if (killedBy !== undefined) throw new Error(`${killedBy} fails without any change`);
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      if (performance.now() - begun > limit) break;
      const reason = reasons.get(idOf(one));
      if (reason !== undefined) {
        tell(one, `equivalent: ${reason}`);
        continue;
      }
      const text = readFileSync(one.file, 'utf8');
      writeFileSync(join(copy, one.file), applied(one, text));
      const outcome: Outcome = await judge(copy, values.quick);
      writeFileSync(join(copy, one.file), text);
      tried += 1;
      tell(one, outcome.killedBy === undefined ? 'LIVES' : `killed by ${outcome.killedBy}`);
      if (outcome.killedBy === undefined) living.push(idOf(one));
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const seconds = ((performance.now() - begun) / 1000).toFixed(0);
print(
  `${tried} tried of ${chosen.length} chosen, ${all.length} in all; ${living.length} live; ${seconds} s`,
);
if (values.write !== undefined) writeFileSync(values.write, `${lines.sort().join('\n')}\n`);
process.exitCode = living.length === 0 ? 0 : 1;
