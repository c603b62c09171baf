import {
  Address,
  Cidr,
  parseSelector,
  type EntityRule,
  type Family,
  type Rule,
  type Selector,
} from '../../model/index.js';
import {
  both,
  header,
  shown,
  Unsupported,
  type Alternatives,
  type Condition,
  type Match,
} from './match.js';
import { notPortsMatches, portsMatch, type PortSide } from './match-ports.js';
import { addressSet, withoutContained } from './member-set.js';
import { ICMP, ICMPV6, protocolNumber } from './protocols.js';
import { blank, entitySelector } from './scoped-selector.js';

const NOT_OFFERED = ['services', 'serviceAccounts'] as const;

/**
 * The conditions of a rule, each ANDed with the others; members that cannot be honoured stand among
 * them as `Unsupported`. Meaning of each member: Calico's (node-agent §5.3).
 * @param namespace of the policy that the rule stands in
 */
export function matchesOf(rule: Rule, namespace?: string): readonly (Alternatives | Unsupported)[] {
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
  const sides = (['source', 'destination'] as const).flatMap((side) => {
    const entity = rule[side];
    return entity === undefined ? [] : entityMatches(entity, { side, protocol, namespace });
  });
  return [...matches.map((match) => (match instanceof Unsupported ? match : [match])), ...sides];
}

interface Side {
  readonly side: 'source' | 'destination';
  readonly protocol: number | undefined;
  readonly namespace: string | undefined;
}

function entityMatches(entity: EntityRule, of: Side): (Alternatives | Unsupported)[] {
  const { side, protocol } = of;
  const address = side === 'source' ? 'saddr' : 'daddr';
  const matches: (Match | Unsupported)[] = [];
  if (some(entity.nets)) matches.push(netsMatch(entity.nets, address, false));
  if (some(entity.notNets)) matches.push(netsMatch(entity.notNets, address, true));
  const selector = selectorOf(entity, of.namespace);
  if (selector instanceof Unsupported) matches.push(selector);
  else if (selector !== undefined) matches.push(selectorMatch(selector, address, false));
  if (!blank(entity.notSelector)) matches.push(notSelectorMatch(entity.notSelector, address));
  for (const member of NOT_OFFERED) {
    const value: unknown = entity[member];
    if (value !== undefined && value !== '') matches.push(new Unsupported(`${side}.${member}`));
  }
  const found: (Alternatives | Unsupported)[] = matches.map((match) =>
    match instanceof Unsupported ? match : [match],
  );
  const ports: PortSide = {
    address,
    port: side === 'source' ? 'sport' : 'dport',
    protocol,
    selector: selector instanceof Unsupported ? undefined : selector,
  };
  if (some(entity.ports)) found.push(portsMatch(entity.ports, ports));
  if (some(entity.notPorts)) {
    const none = notPortsMatches(entity.notPorts, ports);
    found.push(...(none instanceof Unsupported ? [none] : none.map((match) => [match])));
  }
  return found;
}

/** Stored rules may have any shape: what is no list counts as given, and is then refused as a whole. */
const some = <T>(list: readonly T[] | undefined): list is readonly T[] =>
  list !== undefined && (!Array.isArray(list) || list.length > 0);

function familyMatch(family: number): Match | Unsupported {
  if (family !== 4 && family !== 6) return new Unsupported(`ipVersion ${shown(family)}`);
  return { 4: family === 4, 6: family === 6 };
}

const badProtocol = (protocol: string | number): Unsupported =>
  new Unsupported(`protocol ${shown(protocol)}`);

/** ICMP exists in IPv4 only and ICMPv6 in IPv6 only. */
function protocolMatch(protocol: number): Match {
  const condition = `meta l4proto ${protocol}`;
  return {
    4: protocol === ICMPV6 ? false : condition,
    6: protocol === ICMP ? false : condition,
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
  if (protocol !== ICMP && protocol !== ICMPV6 && (negated || protocol !== undefined)) {
    return new Unsupported(`${name} without protocol ICMP or ICMPv6`);
  }
  const expression = (family: 'icmp' | 'icmpv6'): string => {
    const compare = negated ? '!= ' : '';
    if (code === undefined) return `${family} type ${compare}${type}`;
    if (type === undefined) return `${family} code ${compare}${code}`;
    return `${family} type . ${family} code ${compare}{ ${type} . ${code} }`;
  };
  return { 4: expression('icmp'), 6: expression('icmpv6') };
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
    return `${header(family)} ${address} ${negated ? '!= ' : ''}{ ${own.join(', ')} }`;
  };
  return { 4: condition(4), 6: condition(6) };
}

function hostNetwork(text: string): Cidr | undefined {
  const address = Address.tryParse(text);
  return address === undefined ? undefined : Cidr.host(address);
}

/** Whom the side asks for; a stored selector may be no text, or none that can be read. */
function selectorOf(entity: EntityRule, namespace?: string): Selector | Unsupported | undefined {
  for (const member of ['selector', 'notSelector', 'namespaceSelector'] as const) {
    const text: unknown = entity[member];
    if (text !== undefined && typeof text !== 'string') {
      return new Unsupported(`${member} ${shown(text)}`);
    }
  }
  try {
    return entitySelector(entity, namespace);
  } catch {
    const { selector, namespaceSelector } = entity;
    const texts = [selector, namespaceSelector].filter((text) => !blank(text));
    return new Unsupported(`selector ${texts.map(shown).join(' with namespaceSelector ')}`);
  }
}

function notSelectorMatch(text: string, address: string): Match | Unsupported {
  try {
    return selectorMatch(parseSelector(text), address, true);
  } catch {
    return new Unsupported(`selector ${shown(text)}`);
  }
}

function selectorMatch(selector: Selector, address: string, negated: boolean): Match {
  const set = addressSet(selector);
  const test = (family: Family) => ({ key: `${header(family)} ${address}`, negated, set });
  return { 4: test(4), 6: test(6) };
}
