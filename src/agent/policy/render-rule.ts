import { families, type Family, type Rule, type Selector } from '../../model/index.js';
import { Unsupported, type Condition, type Match } from './match.js';
import { matchesOf } from './render-match.js';
import { ACCEPT_MARK, commentText } from './rule-names.js';

export interface RenderedRules {
  /** nft rules in order. */
  readonly rules: readonly string[];
  /** Those whose sets the rules name. */
  readonly selectors: readonly Selector[];
  /** What could not be honoured and therefore admits nothing; one line each. */
  readonly problems: readonly string[];
}

/** Logged packets go on to the next rule; the limit keeps a flood from filling the host's log. */
const LOG = 'limit rate 10/second burst 20 packets log prefix "calico-packet: " level info';
const SET_ACCEPT = `meta mark set meta mark | 0x${ACCEPT_MARK.toString(16)} return`;

/**
 * The rules of one list as nft rules. A rule that asks for something not supported fails closed: an
 * Allow is left out, a Deny loses the condition and so denies more. In a profile Pass matches nothing.
 */
export function renderRules(list: readonly Rule[], owner: string): RenderedRules {
  const rules: string[] = [];
  const selectors = new Map<string, Selector>();
  const problems: string[] = [];
  for (const [index, rule] of list.entries()) {
    if (rule.action === 'Pass') continue;
    const matches = matchesOf(rule);
    const usable = matches.filter((match): match is Match => !(match instanceof Unsupported));
    const unsupported = matches.filter((match) => match instanceof Unsupported);
    for (const { what } of unsupported)
      problems.push(`rule ${index + 1} (${rule.action}): ${what}`);
    if (unsupported.length > 0 && rule.action !== 'Deny') continue;
    const lines = ruleLines(rule, usable, `${owner} rule ${index + 1}`);
    if (lines.length > 0) {
      for (const match of usable) {
        for (const selector of match.selectors ?? []) selectors.set(selector.id, selector);
      }
    }
    rules.push(...lines);
  }
  return { rules, selectors: [...selectors.values()], problems };
}

/** One line for both families when nothing in it differs, else one per family that can match. */
function ruleLines(rule: Rule, matches: readonly Match[], label: string): string[] {
  const statement = statementOf(rule, label);
  const line = (conditions: readonly Condition[]): string =>
    [...conditions.filter((one) => typeof one === 'string'), statement].join(' ');
  const perFamily = (family: Family): Condition[] =>
    matches.map((match) => match.conditions[family]);
  if (matches.every((match) => match.conditions[4] === match.conditions[6])) {
    return perFamily(4).includes(false) ? [] : [line(perFamily(4))];
  }
  return families.flatMap((family) => {
    const conditions = perFamily(family);
    return conditions.includes(false) ? [] : [line([`meta nfproto ipv${family}`, ...conditions])];
  });
}

function statementOf(rule: Rule, label: string): string {
  switch (rule.action) {
    case 'Allow':
      return `counter ${SET_ACCEPT} comment "${commentText(label)}"`;
    case 'Deny':
      return `counter drop comment "${commentText(label)}"`;
    case 'Log':
      return LOG;
    case 'Pass':
      return '';
  }
}
