import type { Chain, SetShape } from './policy/index.js';

export interface DesiredSet {
  readonly shape: SetShape;
  readonly elements: Map<string, string>;
}

/** ARP has a table of its own in nftables, of the same name; both change in one transaction. */
export const tableFamilies = ['inet', 'arp'] as const;
export type TableFamily = (typeof tableFamilies)[number];

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

function setLines(name: string, { kind, type, interval, comment }: SetShape): string[] {
  return [
    `  ${kind} ${name} {`,
    `    type ${type}`,
    ...(interval === true ? ['    flags interval'] : []),
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

export function sameChain(left: Chain, right: Chain): boolean {
  return (
    left.hook === right.hook &&
    left.rules.length === right.rules.length &&
    left.rules.every((rule, at) => rule === right.rules[at])
  );
}
