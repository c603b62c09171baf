import type { Rule, RuleCount } from '../../model/index.js';
import { stringifyJson } from '../../model/v3/index.js';
import type { Stage } from '../../model/verdict/index.js';
import type { Io } from '../io.js';
import { readWorld } from '../policy-world.js';
import { ruleText } from '../rule-text.js';
import { withObjects, type SharedOptions } from '../session.js';
import { withCounters, type ShownWithCounters } from '../shown-counters.js';
import { showOf, type ShownList, type ShownPolicy } from '../shown-policies.js';
import { checkDocumentOutput } from './policy-trace.js';

export interface PolicyShowOptions extends SharedOptions {
  readonly output: string;
}

/** policy show: which tiers, policies and rules decide about an endpoint, in order, and how often they did. */
export async function policyShowCommand(
  io: Io,
  word: string,
  options: PolicyShowOptions,
): Promise<number> {
  checkDocumentOutput(options.output);
  return withObjects(io, options, async ({ store }) => {
    const { shown, subject } = showOf(await readWorld(io, store), word);
    const counted = await withCounters(io, shown, subject);
    io.out(options.output === 'json' ? `${stringifyJson(counted, 2)}\n` : render(counted));
    return 0;
  });
}

const STAGES: Readonly<Record<Stage, string>> = {
  untracked: ' before connection tracking',
  preDNAT: ' before DNAT',
  forward: ' of forwarded traffic',
  normal: '',
};

/** A line, and what was counted of it: null for what counts nothing here. */
interface Line {
  readonly text: string;
  readonly count?: RuleCount | null | undefined;
}

function render({ endpoint, node, addresses, labels, lists, counters }: ShownWithCounters): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const head = [
    `${endpoint} on ${node}`,
    `addresses: ${addresses.join(', ') || 'none'}`,
    `labels: ${pairs.sort().join(', ') || 'none'}`,
  ];
  const isCounted = counters.node !== undefined;
  const body = lists.map(listLines);
  const shown = isCounted ? withColumns(body) : body.flat().map(({ text }) => text);
  const foot = isCounted ? `counted: ${counters.note}` : `packet counters: ${counters.note}`;
  return `${[...head, ...shown, '', foot].join('\n')}\n`;
}

/** Packets and bytes in columns of their own behind the longest line. */
function withColumns(lists: readonly (readonly Line[])[]): string[] {
  const width = Math.max(...lists.flat().map(({ text }) => text.length)) + 2;
  const row = (text: string, packets: string, bytes: string): string =>
    `${text.padEnd(width)}${packets.padStart(10)}${bytes.padStart(12)}`;
  return lists.flatMap((lines) =>
    lines.map(({ text, count }, at) => {
      if (at === 1) return row(text, 'PACKETS', 'BYTES');
      if (count === undefined) return text;
      return row(text, String(count?.packets ?? '-'), String(count?.bytes ?? '-'));
    }),
  );
}

function listLines({ direction, stage, tiers, profiles, denied }: ShownList): Line[] {
  const lines: Line[] = [{ text: '' }, { text: `${direction}${STAGES[stage]}` }];
  for (const { name, defaultAction, policies, denied: ended } of tiers) {
    lines.push({ text: `  tier ${name}` }, ...policies.flatMap(policyLines));
    const isLast = stage === 'normal' || stage === 'forward';
    const text = `    what none of them decides: ${isLast ? defaultAction : 'goes on'}`;
    lines.push({ text, count: isLast && defaultAction === 'Deny' ? ended : undefined });
  }
  for (const { name, exists, rules, counters } of profiles ?? []) {
    lines.push({
      text: `  profile ${name}${exists ? '' : ': does not exist, everything is denied'}`,
    });
    lines.push(...ruleLines(rules, counters, '    '));
  }
  if (stage === 'normal') lines.push({ text: '  everything else: Deny', count: denied });
  return lines;
}

function policyLines({
  name,
  namespace,
  order,
  unsupported,
  rules,
  counters,
}: ShownPolicy): Line[] {
  const label = namespace === undefined ? name : `${namespace}/${name}`;
  const at = order === undefined ? '' : `, order ${order}`;
  const text = `    policy ${label}${at}`;
  if (unsupported.length === 0) return [{ text }, ...ruleLines(rules, counters, '      ')];
  return [{ text: `${text}: denies all, it cannot be enforced: ${unsupported.join('; ')}` }];
}

function ruleLines(
  rules: readonly Rule[],
  counters: readonly (RuleCount | null)[] | undefined,
  indent: string,
): Line[] {
  return rules.map((rule, index) => ({
    text: `${indent}${index}  ${ruleText(rule)}`,
    count: counters === undefined ? undefined : (counters[index] ?? null),
  }));
}
