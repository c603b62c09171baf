import type { CountedList, CountedRules, RuleCount } from '../model/index.js';
import type { Nft, RuleCounter } from '../nft/index.js';
import type { AskedList, NamedChain, Policy, PolicyChain } from './policy/index.js';

/** Beyond so many chains one look at the whole table is quicker. */
const MOST_LOOKS = 16;

/**
 * Counters of an endpoint's lists. A policy or profile has one chain on a host: its rules count what
 * they matched of all endpoints that it applies to. Ends of tiers and lists count for all endpoints
 * with the same order.
 */
export async function readCounters(
  nft: Nft,
  { table, nameOf }: { readonly table: string; readonly nameOf: (policy: string) => string },
  lists: readonly AskedList[],
): Promise<readonly CountedList[]> {
  const chains = new Set(lists.flatMap(chainsOf));
  const looks = chains.size > MOST_LOOKS ? [undefined] : [...chains];
  const counters = (await Promise.all(looks.map((chain) => nft.ruleCounters(table, chain)))).flat();
  const found = new Map<string, RuleCounter[]>();
  for (const counter of counters) {
    found.set(counter.chain, [...(found.get(counter.chain) ?? []), counter]);
  }
  return lists.map((list) => countedList(list, nameOf, (chain) => found.get(chain) ?? []));
}

function chainsOf({ chain, tiers, profiles }: AskedList): string[] {
  const asked = [...tiers, ...tiers.flatMap(({ policies }) => policies), ...profiles];
  return [chain, ...asked.map((one) => one.chain)];
}

function countedList(
  list: AskedList,
  nameOf: (policy: string) => string,
  at: (chain: string) => readonly RuleCounter[],
): CountedList {
  const rules = ({ name, chain }: NamedChain): CountedRules => ({
    name,
    rules: byPlace(at(chain)),
  });
  const ending = (chain: string, isEnd: (comment: string) => boolean): RuleCount | null => {
    const counter = at(chain).find(({ comment }) => isEnd(comment));
    return counter === undefined ? null : countOf(counter);
  };
  const stage = list.stage === 'before-dnat' ? 'preDNAT' : list.stage;
  return {
    direction: list.direction === 'ingress' ? 'Ingress' : 'Egress',
    stage,
    tiers: list.tiers.map(({ name, chain, policies }) => ({
      name,
      ended: ending(chain, isTierEnd),
      policies: policies.map(({ name: id, chain }) => rules({ name: nameOf(id), chain })),
    })),
    profiles: list.profiles.map(rules),
    denied: ending(list.chain, isListEnd),
  };
}

const isTierEnd = (comment: string): boolean => comment.startsWith('end of tier ');
const isListEnd = (comment: string): boolean => comment === 'no profile matched';
const countOf = ({ packets, bytes }: RuleCounter): RuleCount => ({ packets, bytes });

/** Rules of ours carry their place; one of Calico's may take several of nft's. */
function byPlace(counters: readonly RuleCounter[]): (RuleCount | null)[] {
  const rules: (RuleCount | null)[] = [];
  for (const { comment, packets, bytes } of counters) {
    const place = placeOf(comment);
    if (place === undefined) continue;
    while (rules.length <= place) rules.push(null);
    const before = rules[place] ?? { packets: 0, bytes: 0 };
    rules[place] = { packets: before.packets + packets, bytes: before.bytes + bytes };
  }
  return rules;
}

function placeOf(comment: string): number | undefined {
  const number = / rule (\d+)$/.exec(comment)?.[1];
  return number === undefined ? undefined : Number(number) - 1;
}

/** As its user knows it, with its namespace: the key of a stored one may have another form. */
export function nameOf({ facts }: Policy, id: string): string {
  const { name = id, namespace } = facts.policy(id) ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** What all rules of one policy with one action have matched in one direction. */
export interface PolicyTotal extends RuleCount {
  /** `name`, `namespace/name`, or `(others)`. */
  readonly policy: string;
  readonly direction: 'ingress' | 'egress';
  /** `allow`, `deny`, `pass`, `log`; of a policy that cannot be enforced all is `deny`. */
  readonly action: string;
}

/** So many policies have series of their own, the first by name: the same ones each time. */
const MOST_POLICIES = 200;
export const OTHER_POLICIES = '(others)';

/** Totals of all policies in use on this host, by one look at the table. */
export async function readTotals(
  nft: Nft,
  table: string,
  policy: Policy,
): Promise<readonly PolicyTotal[]> {
  const chains = new Map<string, PolicyChain>();
  for (const one of policy.policyChains()) chains.set(one.chain, one);
  if (chains.size === 0) return [];
  const names = [...new Set([...chains.values()].map((one) => one.policy))].sort();
  const own = new Set(names.slice(0, MOST_POLICIES));
  const totals = new Map<string, PolicyTotal>();
  for (const counter of await nft.ruleCounters(table)) {
    const chain = chains.get(counter.chain);
    if (chain === undefined) continue;
    const { direction } = chain;
    const place = placeOf(counter.comment);
    const rule = place === undefined ? undefined : policy.facts.policy(chain.policy)?.[direction];
    const action = rule?.[place ?? 0]?.action.toLowerCase() ?? 'deny';
    const name = own.has(chain.policy) ? nameOf(policy, chain.policy) : OTHER_POLICIES;
    const key = `${name} ${direction} ${action}`;
    const { packets = 0, bytes = 0 } = totals.get(key) ?? {};
    const sum = { packets: packets + counter.packets, bytes: bytes + counter.bytes };
    totals.set(key, { policy: name, direction, action, ...sum });
  }
  return [...totals.values()];
}
