import {
  Address,
  Cidr,
  parseSelector,
  type EntityRule,
  type Family,
  type Rule,
  type Selector,
} from '../../model/index.js';
import { both, shown, Unsupported, type Condition, type Match } from './match.js';
import { portsMatch } from './match-ports.js';
import { selectorSet } from './rule-names.js';

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
};

const NOT_OFFERED = ['namespaceSelector', 'services', 'serviceAccounts'] as const;

/**
 * The conditions of a rule, each ANDed with the others; members that cannot be honoured stand among
 * them as `Unsupported`. Meaning of each member: Calico's (node-agent §5.3).
 */
export function matchesOf(rule: Rule): readonly (Match | Unsupported)[] {
  const protocol = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
  const matches: (Match | Unsupported)[] = [];
  if (rule.ipVersion !== undefined) matches.push(familyMatch(rule.ipVersion));
  if (rule.protocol !== undefined) {
    matches.push(protocol === undefined ? badProtocol(rule.protocol) : protocolMatch(protocol));
  }
  if (rule.notProtocol !== undefined) matches.push(notProtocolMatch(rule.notProtocol));
  if (rule.icmp !== undefined) matches.push(icmpMatch(rule.icmp, protocol, false));
  if (rule.notICMP !== undefined) matches.push(icmpMatch(rule.notICMP, protocol, true));
  if (rule.http !== undefined) matches.push(new Unsupported('http'));
  for (const side of ['source', 'destination'] as const) {
    const entity = rule[side];
    if (entity !== undefined) matches.push(...entityMatches(entity, side, protocol));
  }
  return matches;
}

function entityMatches(
  entity: EntityRule,
  side: 'source' | 'destination',
  protocol: number | undefined,
): (Match | Unsupported)[] {
  const address = side === 'source' ? 'saddr' : 'daddr';
  const port = side === 'source' ? 'sport' : 'dport';
  const matches: (Match | Unsupported)[] = [];
  if (some(entity.nets)) matches.push(netsMatch(entity.nets, address, false));
  if (some(entity.notNets)) matches.push(netsMatch(entity.notNets, address, true));
  if (given(entity.selector)) matches.push(selectorMatch(entity.selector, address, false));
  if (given(entity.notSelector)) matches.push(selectorMatch(entity.notSelector, address, true));
  if (some(entity.ports)) matches.push(portsMatch(entity.ports, port, protocol, false));
  if (some(entity.notPorts)) matches.push(portsMatch(entity.notPorts, port, protocol, true));
  for (const member of NOT_OFFERED) {
    const value: unknown = entity[member];
    if (value !== undefined && value !== '') matches.push(new Unsupported(`${side}.${member}`));
  }
  return matches;
}

/** Stored rules may have any shape: what is no list counts as given, and is then refused as a whole. */
const some = <T>(list: readonly T[] | undefined): list is readonly T[] =>
  list !== undefined && (!Array.isArray(list) || list.length > 0);
/** An empty selector in a rule means "not given", unlike in a policy. */
const given = (text: string | undefined): text is string =>
  text !== undefined && (typeof text !== 'string' || text.trim() !== '');

function familyMatch(family: number): Match | Unsupported {
  if (family !== 4 && family !== 6) return new Unsupported(`ipVersion ${shown(family)}`);
  return { conditions: { 4: family === 4, 6: family === 6 } };
}

function protocolNumber(protocol: string | number): number | undefined {
  const text = String(protocol).toLowerCase();
  const number = PROTOCOLS[text] ?? (/^\d{1,3}$/.test(text) ? Number(text) : 0);
  return number >= 1 && number <= 255 ? number : undefined;
}

const badProtocol = (protocol: string | number): Unsupported =>
  new Unsupported(`protocol ${shown(protocol)}`);

/** ICMP exists in IPv4 only and ICMPv6 in IPv6 only. */
function protocolMatch(protocol: number): Match {
  const condition = `meta l4proto ${protocol}`;
  return {
    conditions: { 4: protocol === 58 ? false : condition, 6: protocol === 1 ? false : condition },
  };
}

function notProtocolMatch(protocol: string | number): Match | Unsupported {
  const number = protocolNumber(protocol);
  return number === undefined ? badProtocol(protocol) : both(`meta l4proto != ${number}`);
}

/**
 * `not` means neither the pair: one comparison of type and code together, because two of them would
 * also let pass what shares only the type.
 */
function icmpMatch(
  icmp: { readonly type?: number; readonly code?: number },
  protocol: number | undefined,
  negated: boolean,
): Match | Unsupported {
  const name = negated ? 'notICMP' : 'icmp';
  if (typeof icmp !== 'object') return new Unsupported(`${name} ${shown(icmp)}`);
  const { type, code } = icmp;
  for (const value of [type, code]) {
    if (value !== undefined && !isByte(value)) return new Unsupported(`${name} ${shown(value)}`);
  }
  if (type === undefined && code === undefined) {
    return negated ? new Unsupported('notICMP without a type') : both(true);
  }
  if (protocol !== 1 && protocol !== 58 && (negated || protocol !== undefined)) {
    return new Unsupported(`${name} without protocol ICMP or ICMPv6`);
  }
  const expression = (family: 'icmp' | 'icmpv6'): string => {
    const compare = negated ? '!= ' : '';
    if (code === undefined) return `${family} type ${compare}${type}`;
    if (type === undefined) return `${family} code ${compare}${code}`;
    return `${family} type . ${family} code ${compare}{ ${type} . ${code} }`;
  };
  return { conditions: { 4: expression('icmp'), 6: expression('icmpv6') } };
}

const isByte = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255;

/** Networks of the other family cannot match; when no positive one is left, the rule cannot either. */
function netsMatch(
  nets: readonly string[],
  address: string,
  negated: boolean,
): Match | Unsupported {
  if (!Array.isArray(nets)) return new Unsupported(`networks ${shown(nets)}`);
  const parsed: Cidr[] = [];
  for (const text of nets.map(String)) {
    const cidr = Cidr.tryParse(text) ?? hostNetwork(text);
    if (cidr === undefined) return new Unsupported(`network ${shown(text)}`);
    parsed.push(cidr);
  }
  const condition = (family: Family): Condition => {
    const own = withoutContained(parsed.filter((cidr) => cidr.family === family));
    if (own.length === 0) return negated;
    const everything = own.some((cidr) => cidr.prefix === 0);
    if (everything) return !negated;
    const expression = family === 4 ? `ip ${address}` : `ip6 ${address}`;
    return `${expression} ${negated ? '!= ' : ''}{ ${own.join(', ')} }`;
  };
  return { conditions: { 4: condition(4), 6: condition(6) } };
}

function hostNetwork(text: string): Cidr | undefined {
  const address = Address.tryParse(text);
  return address === undefined ? undefined : Cidr.host(address);
}

/** nft refuses overlapping members of one set. In order, each once, none inside another. */
export function withoutContained(cidrs: readonly Cidr[]): Cidr[] {
  const sorted = [...cidrs].sort((left, right) => left.compare(right));
  const kept: Cidr[] = [];
  for (const cidr of sorted) {
    if (kept.at(-1)?.containsCidr(cidr) !== true) kept.push(cidr);
  }
  return kept;
}

function selectorMatch(text: string, address: string, negated: boolean): Match | Unsupported {
  if (typeof text !== 'string') return new Unsupported(`selector ${shown(text)}`);
  let selector: Selector;
  try {
    selector = parseSelector(text);
  } catch {
    return new Unsupported(`selector ${shown(text)}`);
  }
  const condition = (family: Family): string =>
    `${family === 4 ? 'ip' : 'ip6'} ${address} ${negated ? '!= ' : ''}@${selectorSet(family, selector.id)}`;
  return { conditions: { 4: condition(4), 6: condition(6) }, selectors: [selector] };
}
