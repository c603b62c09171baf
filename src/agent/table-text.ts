import type { Chain, SetShape } from './policy/index.js';

export interface DesiredSet {
  readonly shape: SetShape;
  readonly elements: Map<string, string>;
}

/** ARP has a table of its own in nftables, of the same name; both change in one transaction. */
export const tableFamilies = ['inet', 'arp'] as const;
export type TableFamily = (typeof tableFamilies)[number];

export const textOf = (lines: readonly string[]): string =>
  lines.length === 0 ? '' : `${lines.join('\n')}\n`;

export const isFilledInterval = ({ shape, elements }: DesiredSet): boolean =>
  shape.interval === true && elements.size > 0;

/** How much there is in these. */
export function countsOf(table: {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, DesiredSet>;
}): { readonly chains: number; readonly sets: number; readonly elements: number } {
  const { chains, sets } = table;
  const elements = [...sets.values()].reduce((sum, set) => sum + set.elements.size, 0);
  return { chains: chains.size, sets: sets.size, elements };
}

type Sets = readonly (readonly [string, DesiredSet])[];
type Chains = readonly (readonly [string, Chain])[];

export const familyOf = ({ family = 'inet' }: { readonly family?: TableFamily }): TableFamily =>
  family;

/** The tables that these need. */
export function familiesOf(sets: Sets, chains: Chains): readonly TableFamily[] {
  const used = [...sets.map(([, { shape }]) => shape), ...chains.map(([, chain]) => chain)];
  return tableFamilies.filter((family) => used.some((one) => familyOf(one) === family));
}

/** Declares sets and chains, each in its table: all of a table exist before a rule names one. */
export function blocks(name: string, sets: Sets, chains: Chains): string[] {
  return familiesOf(sets, chains).flatMap((family) => [
    `table ${family} ${name} {`,
    ...sets.flatMap(([set, { shape }]) => (familyOf(shape) === family ? setLines(set, shape) : [])),
    ...chains.flatMap(([own, chain]) => (familyOf(chain) === family ? chainLines(own, chain) : [])),
    '}',
  ]);
}

const DYNAMIC = ['    size 65535', '    flags dynamic,timeout', '    timeout 1m'];

function setLines(name: string, { kind, type, interval, dynamic, comment }: SetShape): string[] {
  return [
    `  ${kind} ${name} {`,
    `    type ${type}`,
    ...(interval === true ? ['    flags interval'] : []),
    ...(dynamic === true ? DYNAMIC : []),
    ...(comment === undefined ? [] : [`    comment "${comment}"`]),
    '  }',
  ];
}

function chainLines(name: string, { hook, rules }: Chain): string[] {
  return [
    `  chain ${name} {`,
    ...[...(hook === undefined ? [] : [hook]), ...rules].map((line) => `    ${line}`),
    '  }',
  ];
}

/** Declares a chain alone, which may be there, with its hook: one that was made without never gets it. */
export function addChainLine(table: string, name: string, chain: Chain): string {
  const hook = chain.hook === undefined ? '' : ` { ${chain.hook} }`;
  return `add chain ${familyOf(chain)} ${table} ${name}${hook}`;
}

/** `verb element FAMILY TABLE SET { … }`, with a map's verdicts. */
export function elementsLine(
  verb: 'add' | 'delete',
  set: string,
  elements: ReadonlyMap<string, string>,
): string {
  const list = [...elements].map(([key, value]) => (value === '' ? key : `${key} : ${value}`));
  return `${verb} element ${set} { ${list.join(', ')} }`;
}

/** These chains, each with its rule of `first` before its others. */
export function withFirstRule(chains: Chains, first: ReadonlyMap<string, string>): Chains {
  return chains.map(([name, chain]) => {
    const rule = first.get(name);
    return [name, rule === undefined ? chain : { ...chain, rules: [rule, ...chain.rules] }];
  });
}

/** A transaction that writes the chains of these names, which are there, with the rules that they have here. */
export function chainsAnew(
  table: string,
  all: ReadonlyMap<string, Chain>,
  names: ReadonlySet<string>,
): string {
  const chains = [...all].filter(([name]) => names.has(name));
  const flushed = chains.map(([name, chain]) => `flush chain ${familyOf(chain)} ${table} ${name}`);
  return textOf([...flushed, ...blocks(table, [], chains)]);
}

/** Names of what existed once, as `changed` has it, and is wanted no more. */
export function goneOf(
  changed: ReadonlyMap<string, boolean>,
  wanted: ReadonlyMap<string, unknown>,
): readonly string[] {
  return [...changed].flatMap(([name, existed]) => (existed && !wanted.has(name) ? [name] : []));
}

export function sameChain(left: Chain, right: Chain): boolean {
  return (
    left.hook === right.hook &&
    left.rules.length === right.rules.length &&
    left.rules.every((rule, at) => rule === right.rules[at])
  );
}
