import { Parser, type Result } from 'tap-parser';

/** Counts of assertions: a subtest's own closing line is not one, unless it alone says that something is wrong. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export interface FileTally extends Tally {
  /** One text per failed assertion. */
  readonly failures: string[];
  /** One text per skipped assertion or test. */
  readonly skips: string[];
}

export function emptyTally(): FileTally {
  return { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
}

export function add(total: Tally, one: Tally): void {
  total.passed += one.passed;
  total.failed += one.failed;
  total.skipped += one.skipped;
}

/** The last line of every run. */
export function summaryLine(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`;
}

/** The parts of tap's diagnostics that a reader needs, indented. */
function describe(result: Result, path: readonly string[]): string {
  const title = [...path, result.name].filter((part) => part !== '').join(' > ');
  const diag: unknown = result.diag;
  if (typeof diag !== 'object' || diag === null) return title;
  const parts = Object.entries(diag)
    .filter(([key]) => ['diff', 'found', 'wanted', 'error', 'message', 'stack'].includes(key))
    .map(([key, value]) => {
      const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value);
      return `${key}: ${text.includes('\n') ? `\n${text}` : text}`;
    });
  const lines = parts.join('\n').split('\n').slice(0, 40);
  return [title, ...lines.map((line) => `    ${line}`)].join('\n');
}

/** Feeds a TAP stream; `finish` waits for its end and tells whether the stream itself was in order. */
export interface TallyStream {
  write(text: string): void;
  finish(): Promise<FileTally>;
}

function follow(parser: Parser, path: readonly string[], tally: FileTally): void {
  let inside: { readonly failedBefore: number } | undefined;
  parser.on('child', (child: Parser) => {
    inside = { failedBefore: tally.failed };
    follow(child, [...path, child.name], tally);
  });
  parser.on('assert', (result: Result) => {
    const closes = inside;
    inside = undefined;
    if (result.skip !== false && result.skip !== undefined) {
      tally.skipped += 1;
      const reason = typeof result.skip === 'string' ? ` (${result.skip})` : '';
      tally.skips.push(`${[...path, result.name].join(' > ')}${reason}`);
    } else if (result.todo !== false && result.todo !== undefined) {
      tally.skipped += 1;
      tally.skips.push(`${[...path, result.name].join(' > ')} (todo)`);
    } else if (closes !== undefined) {
      if (result.ok || tally.failed > closes.failedBefore) return;
      tally.failed += 1;
      tally.failures.push(describe(result, path));
    } else if (result.ok) {
      tally.passed += 1;
    } else {
      tally.failed += 1;
      tally.failures.push(describe(result, path));
    }
  });
}

export function createTallyStream(): TallyStream {
  const tally = emptyTally();
  const parser = new Parser();
  follow(parser, [], tally);
  const done = new Promise<FileTally>((resolve) => {
    parser.on('complete', (results) => {
      if (results.plan.skipAll && results.plan.skipReason === 'no tests found') {
        tally.failed += 1;
        tally.failures.push('contains no test');
      } else if (results.plan.skipAll) {
        tally.skipped += 1;
        tally.skips.push(`the whole file (${results.plan.skipReason})`);
      }
      // A wrong plan, a bail-out or text where TAP should be is a failure that no assertion told.
      if (!results.ok && tally.failed === 0) {
        tally.failed += 1;
        const reason = results.bailout === false ? '' : `, bailed out: ${String(results.bailout)}`;
        tally.failures.push(`the test's output is not in order (plan or format)${reason}`);
      }
      resolve(tally);
    });
  });
  return {
    write: (text) => parser.write(text),
    finish: () => {
      parser.end();
      return done;
    },
  };
}
