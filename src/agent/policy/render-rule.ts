import { families, type Family, type Rule } from '../../model/index.js';
import { Unsupported, type Alternatives, type Condition, type Match } from './match.js';
import type { KernelSet, MemberSet } from './member-set.js';
import { matchesOf } from './render-match.js';
import { ACCEPT_MARK, commentText, PASS_MARK } from './rule-names.js';

/** The rules of one direction of a profile or policy. */
export interface RuleList {
  readonly rules: readonly Rule[];
  /** For comments and messages, such as `policy web ingress`. */
  readonly owner: string;
  readonly kind: 'profile' | 'policy';
  /** Of the policy: what its selectors are limited to. */
  readonly namespace?: string;
}

/** The kernel's sets of one: a member is in one of them. */
export type SetNames = (set: MemberSet, family: Family) => readonly KernelSet[];

export interface RenderedRules {
  /** nft rules in order. */
  readonly rules: (namesOf: SetNames) => readonly string[];
  /** Those that the rules name. */
  readonly sets: readonly MemberSet[];
  /** What could not be honoured and therefore admits nothing; one line each. */
  readonly problems: readonly string[];
}

/** Logged packets go on to the next rule; the limit keeps a flood from filling the host's log. */
const LOG = 'limit rate 10/second burst 20 packets counter log prefix "calico-packet: " level info';
const setMark = (mark: number): string => `meta mark set meta mark | 0x${mark.toString(16)} return`;

interface Line {
  readonly conditions: readonly Condition[];
  readonly family: Family;
  readonly statement: string;
}

/**
 * The rules of one list as nft rules. In a profile a rule that asks for something not supported fails
 * closed: an Allow is left out, a Deny loses the condition and so denies more. A policy with such a
 * rule is to deny everything: its Pass may lead past a later Deny as its Allow does. In a profile Pass
 * matches nothing.
 */
export function renderRules({ rules, owner, kind, namespace }: RuleList): RenderedRules {
  const lines: Line[] = [];
  const problems: string[] = [];
  for (const [index, rule] of rules.entries()) {
    if (rule.action === 'Pass' && kind === 'profile') continue;
    const matches = matchesOf(rule, namespace);
    const usable = matches.filter((match): match is Alternatives => Array.isArray(match));
    const unsupported = matches.filter((match) => match instanceof Unsupported);
    for (const { what } of unsupported)
      problems.push(`rule ${index + 1} (${rule.action}): ${what}`);
    if (unsupported.length > 0 && rule.action !== 'Deny') continue;
    const statement = statementOf(rule, commentText(owner, ` rule ${index + 1}`));
    for (const chosen of combinations(usable)) lines.push(...linesOf(chosen, statement));
  }
  const sets = new Map<string, MemberSet>();
  for (const condition of lines.flatMap((line) => line.conditions)) {
    if (typeof condition === 'object') sets.set(condition.set.id, condition.set);
  }
  return {
    rules: (namesOf) => lines.flatMap((line) => lineTexts(line, namesOf)),
    sets: [...sets.values()],
    problems,
  };
}

/** Every way to take one of each; one way when there is nothing to choose. */
function combinations(choices: readonly Alternatives[]): readonly (readonly Match[])[] {
  return choices.reduce<readonly (readonly Match[])[]>(
    (ways, alternatives) => ways.flatMap((way) => alternatives.map((match) => [...way, match])),
    [[]],
  );
}

/** One line for both families when nothing in it differs, else one per family that can match. */
function linesOf(matches: readonly Match[], statement: string): Line[] {
  const perFamily = (family: Family): Condition[] => matches.map((match) => match[family]);
  if (matches.every((match) => match[4] === match[6])) {
    const conditions = perFamily(4);
    return conditions.includes(false) ? [] : [{ conditions, family: 4, statement }];
  }
  return families.flatMap((family) => {
    const conditions = perFamily(family);
    if (conditions.includes(false)) return [];
    return [{ conditions: [`meta nfproto ipv${family}`, ...conditions], family, statement }];
  });
}

/** One rule, or one for each of the sets that a member may be in. */
function lineTexts({ conditions, family, statement }: Line, namesOf: SetNames): string[] {
  let texts: string[][] = [[]];
  for (const condition of conditions) {
    if (typeof condition === 'boolean') continue;
    if (typeof condition === 'string') {
      texts = texts.map((text) => [...text, condition]);
      continue;
    }
    const { key, negated, set } = condition;
    const tests = namesOf(set, family).map(
      ({ name, prefix }) => `${prefix}${key} ${negated ? '!= ' : ''}@${name}`,
    );
    texts = negated
      ? texts.map((text) => [...text, ...tests])
      : texts.flatMap((text) => tests.map((test) => [...text, test]));
  }
  return texts.map((text) => [...text, statement].join(' '));
}

function statementOf(rule: Rule, comment: string): string {
  switch (rule.action) {
    case 'Allow':
      return `counter ${setMark(ACCEPT_MARK)} comment "${comment}"`;
    case 'Deny':
      return `counter drop comment "${comment}"`;
    case 'Log':
      return `${LOG} comment "${comment}"`;
    case 'Pass':
      return `counter ${setMark(PASS_MARK)} comment "${comment}"`;
  }
}
