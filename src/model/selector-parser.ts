import { Fault } from '../base/fault.js';

/**
 * A parsed selector. `in` and `not in` keep their values sorted by UTF-8 bytes and without repeats,
 * because the canonical text, and with it the set's identity, depends on it.
 */
export type SelectorNode =
  | { readonly type: 'all' }
  | { readonly type: 'global' }
  | { readonly type: 'has'; readonly label: string }
  | {
      readonly type: 'compare';
      readonly operator: CompareOperator;
      readonly label: string;
      readonly value: string;
    }
  | {
      readonly type: 'member';
      readonly negated: boolean;
      readonly label: string;
      readonly values: readonly string[];
    }
  | { readonly type: 'not'; readonly operand: SelectorNode }
  | { readonly type: 'and'; readonly operands: readonly SelectorNode[] }
  | { readonly type: 'or'; readonly operands: readonly SelectorNode[] };

export type CompareOperator = '==' | '!=' | 'contains' | 'starts with' | 'ends with';

/** Operators that are words; the spellings without a space are Calico's older ones. */
const WORD_OPERATOR =
  /(?:contains|starts[ \t]*with|ends[ \t]*with|not[ \t]*in|in)(?![A-Za-z0-9_./-])/y;
const LABEL = /[A-Za-z0-9_./-]{1,512}(?![A-Za-z0-9_./-])/y;
const FUNCTION = /(?:all\([ \t]*\)|global\([ \t]*\)|has\([ \t]*([A-Za-z0-9_./-]{1,512})[ \t]*\))/y;
const STRING = /"([^"]*)"|'([^']*)'/y;
const SYMBOL = /==|!=|&&|\|\||[(){},!]/y;
const MAX_DEPTH = 200;

/** Parses Calico's selector language (datamodel §3.6); throws `invalid` with the place of the error. */
export function parseSelectorText(text: string): SelectorNode {
  const scanner = new Scanner(text);
  if (scanner.atEnd()) return { type: 'all' };
  const node = parseOr(scanner, 0);
  if (!scanner.atEnd()) throw scanner.expected('"&&", "||" or the end');
  return node;
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Space and tab separate tokens; a newline is no white space in this language. */
  #skip(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at += 1;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    this.#skip();
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }

  atEnd(): boolean {
    this.#skip();
    return this.#at >= this.#text.length;
  }

  symbol(wanted: string): boolean {
    const before = this.#at;
    if (this.#match(SYMBOL)?.[0] === wanted) return true;
    this.#at = before;
    return false;
  }

  string(): string | undefined {
    const match = this.#match(STRING);
    return match === undefined ? undefined : (match[1] ?? match[2]);
  }

  label(): string | undefined {
    return this.#match(LABEL)?.[0];
  }

  /** The operator in its canonical spelling. */
  wordOperator(): string | undefined {
    const word = this.#match(WORD_OPERATOR)?.[0];
    return word
      ?.replace(/[ \t]+/, '')
      .replace('with', ' with')
      .replace('notin', 'not in');
  }

  functionCall(): SelectorNode | undefined {
    const match = this.#match(FUNCTION);
    if (match === undefined) return undefined;
    if (match[1] !== undefined) return { type: 'has', label: match[1] };
    return { type: match[0].startsWith('all') ? 'all' : 'global' };
  }

  expected(what: string): Fault {
    this.#skip();
    const rest = this.#text.slice(this.#at, this.#at + 20);
    const found = rest === '' ? 'the end' : JSON.stringify(rest);
    return new Fault(
      'invalid',
      `selector ${JSON.stringify(this.#text.slice(0, 200))}: expected ${what} at character ${this.#at + 1}, found ${found}`,
      { reason: 'bad-selector' },
    );
  }
}

function parseOr(scanner: Scanner, depth: number): SelectorNode {
  const operands = [parseAnd(scanner, depth)];
  while (scanner.symbol('||')) operands.push(parseAnd(scanner, depth));
  return operands.length === 1 && operands[0] !== undefined
    ? operands[0]
    : { type: 'or', operands };
}

function parseAnd(scanner: Scanner, depth: number): SelectorNode {
  const operands = [parseUnary(scanner, depth)];
  while (scanner.symbol('&&')) operands.push(parseUnary(scanner, depth));
  return operands.length === 1 && operands[0] !== undefined
    ? operands[0]
    : { type: 'and', operands };
}

/** A run of `!` collapses to one or none, as in Calico; `!(!x)` keeps both (datamodel §6.13). */
function parseUnary(scanner: Scanner, depth: number): SelectorNode {
  let negated = false;
  while (scanner.symbol('!')) negated = !negated;
  const operand = parsePrimary(scanner, depth);
  return negated ? { type: 'not', operand } : operand;
}

function parsePrimary(scanner: Scanner, depth: number): SelectorNode {
  if (depth > MAX_DEPTH) throw scanner.expected(`at most ${MAX_DEPTH} nested parentheses`);
  if (scanner.symbol('(')) {
    const inner = parseOr(scanner, depth + 1);
    if (!scanner.symbol(')')) throw scanner.expected('")"');
    return inner;
  }
  const call = scanner.functionCall();
  if (call !== undefined) return call;
  const label = scanner.label();
  if (label === undefined) throw scanner.expected('a label, "has(", "all()", "!" or "("');
  return parseOperation(scanner, label);
}

function parseOperation(scanner: Scanner, label: string): SelectorNode {
  for (const operator of ['==', '!='] as const) {
    if (scanner.symbol(operator))
      return { type: 'compare', operator, label, value: parseString(scanner) };
  }
  const word = scanner.wordOperator();
  switch (word) {
    case 'contains':
    case 'starts with':
    case 'ends with':
      return { type: 'compare', operator: word, label, value: parseString(scanner) };
    case 'in':
    case 'not in':
      return { type: 'member', negated: word === 'not in', label, values: parseSet(scanner) };
    default:
      throw scanner.expected('an operator (==, !=, in, not in, contains, starts with, ends with)');
  }
}

function parseString(scanner: Scanner): string {
  const value = scanner.string();
  if (value === undefined) throw scanner.expected('a quoted string');
  return value;
}

function parseSet(scanner: Scanner): readonly string[] {
  if (!scanner.symbol('{')) throw scanner.expected('"{"');
  const values = new Set<string>();
  while (!scanner.symbol('}')) {
    values.add(parseString(scanner));
    if (scanner.symbol('}')) break;
    if (!scanner.symbol(',')) throw scanner.expected('"," or "}"');
  }
  // Byte order of UTF-8 is the order of code points; JavaScript's own order is that of UTF-16 units.
  return [...values].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
}
