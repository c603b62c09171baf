import { bitsOf, type BgpFilter, type BgpFilterRule, type Family } from '../../model/index.js';
import { communityOf, quotable, symbolOf } from './bird-text.js';
import type { Session } from './facts.js';

type Direction = 'import' | 'export';

/** Calico turns a priority into a local preference, the smaller the greater (node-agent §2.6). */
const PRIORITY_BASE = 2_147_483_647;

/** The function of a filter in one direction and family; its argument says whether the peer is of the own AS. */
export function filterFunction(name: string, direction: Direction, family: Family): string {
  return symbolOf(`calico_${direction}${family}`, name);
}

/** Functions of all filters that the sessions use; one that is missing lets nothing pass. */
export function renderFilters(
  sessions: readonly Session[],
  filters: ReadonlyMap<string, BgpFilter>,
): string[] {
  const used = new Set(
    sessions.flatMap(({ family, filters: names }) => names.map((name) => `${family} ${name}`)),
  );
  return [...used].sort().flatMap((each) => {
    const family: Family = each.startsWith('4') ? 4 : 6;
    const name = each.slice(2);
    return (['import', 'export'] as const).flatMap((direction) => {
      const rules = filters.get(name)?.[`${direction}${family}`];
      const lines = rules === undefined ? ['reject;'] : rules.map((rule) => ruleText(rule, family));
      return [
        `function ${filterFunction(name, direction, family)}(bool same_as) {`,
        ...lines.map((line) => `  ${line}`),
        '}',
      ];
    });
  });
}

function ruleText(rule: BgpFilterRule, family: Family): string {
  const conditions = conditionsOf(rule, family);
  const statements = [...operationsOf(rule), rule.accept ? 'accept;' : 'reject;'].join(' ');
  if (conditions.length === 0) return statements;
  return `if ${conditions.join(' && ')} then { ${statements} }`;
}

function conditionsOf(rule: BgpFilterRule, family: Family): string[] {
  const conditions: string[] = [];
  if (rule.network !== undefined) conditions.push(networkCondition(rule.network, family));
  if (rule.fromPeersOnly) conditions.push('source = RTS_BGP');
  if (rule.interface !== undefined) {
    const usable = quotable(rule.interface);
    conditions.push(usable ? `defined(ifname) && ifname ~ "${rule.interface}"` : 'false');
  }
  if (rule.peerType !== undefined) {
    conditions.push(rule.peerType === 'iBGP' ? 'same_as' : '!same_as');
  }
  if (rule.community !== undefined) {
    const found = communityOf(rule.community);
    conditions.push(found === undefined ? 'false' : `${found.value} ~ ${found.attribute}`);
  }
  if (rule.asPathPrefix.length > 0) {
    conditions.push(`bgp_path ~ [= ${rule.asPathPrefix.join(' ')} * =]`);
  }
  if (rule.priority !== undefined) {
    const preference = PRIORITY_BASE - rule.priority;
    conditions.push(`defined(bgp_local_pref) && bgp_local_pref = ${preference}`);
  }
  return conditions;
}

function networkCondition(
  { cidr, match, min, max }: NonNullable<BgpFilterRule['network']>,
  family: Family,
): string {
  if (cidr.family !== family) return 'false';
  if (match === 'Equal') return `net = ${cidr}`;
  if (match === 'NotEqual') return `net != ${cidr}`;
  const least = Math.max(cidr.prefix, min ?? cidr.prefix);
  const most = Math.min(bitsOf(family), max ?? bitsOf(family));
  const operator = match === 'In' ? '~' : '!~';
  if (least > most) return match === 'In' ? 'false' : 'true';
  return `net ${operator} [ ${cidr}{${least},${most}} ]`;
}

function operationsOf({ operations }: BgpFilterRule): string[] {
  return operations.flatMap((operation) => {
    switch (operation.type) {
      case 'add-community': {
        const community = communityOf(operation.community);
        return community === undefined ? [] : [`${community.attribute}.add(${community.value});`];
      }
      case 'prepend-as-path':
        // The first number is to stand first, so it is put in front last.
        return [...operation.asNumbers].reverse().map((number) => `bgp_path.prepend(${number});`);
      case 'set-priority':
        return [`bgp_local_pref = ${PRIORITY_BASE - operation.priority};`];
    }
  });
}
