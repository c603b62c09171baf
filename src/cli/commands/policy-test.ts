import { dirname, join } from 'node:path';
import { stringifyJson } from '../../model/v3/index.js';
import { describeReason, traceFlow, type Decision } from '../../model/verdict/index.js';
import { findEnd, flowsOf, parsePort } from '../flow-words.js';
import type { Io } from '../io.js';
import { entriesOf, readCases, type PolicyCase, type PolicyCases } from '../policy-cases.js';
import { worldOf, type KnownWorld, type WorldEntry } from '../policy-world.js';
import { worst } from '../verdict-report.js';
import { checkDocumentOutput } from './policy-trace.js';

export interface PolicyTestOptions {
  readonly filename: string;
  readonly output: string;
}

interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  readonly expected: 'allow' | 'deny';
  readonly verdict: 'allow' | 'deny';
  /** What decided, in words. */
  readonly because: readonly string[];
}

/** Exit status when a case is not as expected; 1 is left for files that cannot be used. */
const UNEXPECTED = 2;

/** policy test: expected verdicts against manifests, without a datastore. */
export async function policyTestCommand(io: Io, options: PolicyTestOptions): Promise<number> {
  const { filename, output } = options;
  checkDocumentOutput(output);
  const text = filename === '-' ? await io.files.readStdin() : await io.files.readText(filename);
  const file = readCases(text, filename === '-' ? 'stdin' : filename);
  const entries = await readEntries(io, file, filename === '-' ? '.' : dirname(filename));
  const stored = worldOf(io, entries, file.settings.hostReach);
  const world = { ...stored, workloads: [...stored.workloads, ...file.endpoints] };
  const results = file.cases.map((each) => judge(world, each));
  const failed = results.filter(({ passed }) => !passed).length;
  if (output === 'json') {
    const passed = results.length - failed;
    io.out(`${stringifyJson({ passed, failed, cases: results }, 2)}\n`);
  } else {
    for (const result of results) io.out(resultLine(result));
    io.out(`${results.length - failed} passed, ${failed} failed\n`);
  }
  return failed === 0 ? 0 : UNEXPECTED;
}

/** Manifests stand beside the file that names them. */
async function readEntries(io: Io, file: PolicyCases, folder: string): Promise<WorldEntry[]> {
  const entries: WorldEntry[] = [];
  for (const name of file.manifests) {
    const path = join(folder, name);
    for (const each of (await io.files.listManifests(path, true)) ?? [path]) {
      entries.push(...entriesOf(await io.files.readText(each), each));
    }
  }
  return entries;
}

function judge(world: KnownWorld, each: PolicyCase): CaseResult {
  const flows = flowsOf(findEnd(world, each.from), findEnd(world, each.to), parsePort(each.port));
  const traced = flows.map((flow) => traceFlow(world, flow));
  const verdict = worst(traced.map((result) => result.verdict));
  const because = [
    ...new Set(traced.flatMap(({ decisions }) => deciding(decisions, verdict).map(describe))),
  ];
  const isExplained =
    each.because === undefined || because.some((text) => text.includes(each.because ?? ''));
  // In one family allowed and in the other denied is neither: the user must say which one he means.
  const isOne = new Set(traced.map((result) => result.verdict)).size === 1;
  const passed = verdict === each.expect && isExplained && isOne;
  return { name: each.name, passed, expected: each.expect, verdict, because };
}

/** The denial, or all that let the flow pass. */
function deciding(decisions: readonly Decision[], verdict: 'allow' | 'deny'): readonly Decision[] {
  return verdict === 'deny' ? decisions.filter((each) => each.verdict === 'deny') : decisions;
}

function describe({ place, reason }: Decision): string {
  return `${place.direction.toLowerCase()} of ${place.name}: ${describeReason(reason)}`;
}

function resultLine({ name, passed, expected, verdict, because }: CaseResult): string {
  if (passed) return `ok      ${name}\n`;
  const reasons = because.map((reason) => `          ${reason}\n`).join('');
  return `not ok  ${name}: expected ${expected}, found ${verdict}\n${reasons}`;
}
