import { isFault } from '../../base/index.js';
import { Address, Cidr, type EntityRule, type Rule } from '../index.js';
import { namespaceTest, selectorTest, type LabelTest } from './label-test.js';
import { hasNamedPort, isMember } from './members.js';
import { protocolNumber } from './protocol-number.js';
import type { Packet, World } from './world.js';

const ICMP = 1;
const TCP = 6;
const ICMPV6 = 58;
const WITH_PORTS = [TCP, 17, 132];

/** Where a rule stands. */
export interface RuleHome {
  /** Of a policy that belongs to one: its selectors look at that namespace. */
  readonly namespace?: string;
}

/**
 * Whether a rule matches, by the meaning of each of its members (node-agent §5.3): all are to hold.
 * One that cannot be understood holds for Deny and for nothing else, so that the rule fails closed.
 */
export function ruleMatches(world: World, rule: Rule, home: RuleHome, packet: Packet): boolean {
  const results = [
    ...protocolConditions(rule, packet),
    ...(['source', 'destination'] as const).flatMap((side) => {
      const entity = rule[side];
      return entity === undefined ? [] : entityConditions({ world, rule, home, packet }, side);
    }),
  ];
  const unknown = rule.action === 'Deny';
  return results.every((result) => result ?? unknown);
}

/** Undefined: it cannot be understood. */
type Condition = boolean | undefined;

function protocolConditions(rule: Rule, packet: Packet): Condition[] {
  const { family } = packet.source;
  const conditions: Condition[] = [];
  if (rule.ipVersion !== undefined) {
    const version: number = rule.ipVersion;
    conditions.push(version === 4 || version === 6 ? version === family : undefined);
  }
  if (rule.protocol !== undefined) {
    const number = protocolNumber(rule.protocol);
    if (number === ICMP) conditions.push(family === 4);
    if (number === ICMPV6) conditions.push(family === 6);
    conditions.push(number === undefined ? undefined : number === packet.protocol);
  }
  if (rule.notProtocol !== undefined) {
    const number = protocolNumber(rule.notProtocol);
    conditions.push(number === undefined ? undefined : number !== packet.protocol);
  }
  if (rule.icmp !== undefined) conditions.push(icmpCondition(rule, rule.icmp, packet));
  if (rule.notICMP !== undefined) conditions.push(notIcmpCondition(rule, rule.notICMP, packet));
  if (rule.http !== undefined) conditions.push(undefined);
  return conditions;
}

const isByte = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255);

function icmpCondition(rule: Rule, icmp: unknown, packet: Packet): Condition {
  const match = icmpOf(icmp);
  if (match === undefined) return undefined;
  if (match.type === undefined && match.code === undefined) return true;
  const number = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
  if (rule.protocol !== undefined && number !== ICMP && number !== ICMPV6) return undefined;
  const own = packet.source.family === 4 ? ICMP : ICMPV6;
  return packet.protocol === own && equalsIcmp(match, packet);
}

/** Neither the type alone nor the code alone: the pair is what must not be. */
function notIcmpCondition(rule: Rule, icmp: unknown, packet: Packet): Condition {
  const match = icmpOf(icmp);
  const number = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
  if (match === undefined || (match.type === undefined && match.code === undefined)) {
    return undefined;
  }
  if (number !== ICMP && number !== ICMPV6) return undefined;
  return !equalsIcmp(match, packet);
}

interface IcmpMatch {
  readonly type?: number;
  readonly code?: number;
}

function icmpOf(value: unknown): IcmpMatch | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, code }: { readonly type?: unknown; readonly code?: unknown } = value;
  if (!isByte(type) || !isByte(code)) return undefined;
  return {
    ...(typeof type === 'number' ? { type } : {}),
    ...(typeof code === 'number' ? { code } : {}),
  };
}

function equalsIcmp({ type, code }: IcmpMatch, packet: Packet): boolean {
  return (
    (type === undefined || type === packet.icmpType) &&
    (code === undefined || code === packet.icmpCode)
  );
}

interface Context {
  readonly world: World;
  readonly rule: Rule;
  readonly home: RuleHome;
  readonly packet: Packet;
}

function entityConditions(context: Context, side: 'source' | 'destination'): Condition[] {
  const { world, rule, home, packet } = context;
  const entity: EntityRule = rule[side] ?? {};
  const address = packet[side];
  const port = side === 'source' ? packet.sourcePort : packet.destinationPort;
  const conditions: Condition[] = [];
  if (given(entity.nets)) conditions.push(inNets(entity.nets, address));
  if (given(entity.notNets)) conditions.push(not(inNets(entity.notNets, address)));
  const positive = positiveTest(entity, home);
  if (positive === 'unknown') conditions.push(undefined);
  else if (positive !== undefined) conditions.push(isMember(world, positive, address));
  if (given(entity.notSelector)) {
    const test = testOf(() => selectorTest(String(entity.notSelector)));
    conditions.push(test === undefined ? undefined : !isMember(world, test, address));
  }
  const limit: LabelTest = typeof positive === 'function' ? positive : () => true;
  if (given(entity.ports)) {
    conditions.push(portCondition(context, { list: entity.ports, limit, address, port }));
  }
  if (given(entity.notPorts)) {
    conditions.push(not(portCondition(context, { list: entity.notPorts, limit, address, port })));
  }
  if (given(entity.services) || given(entity.serviceAccounts)) conditions.push(undefined);
  return conditions;
}

const not = (condition: Condition): Condition => (condition === undefined ? undefined : !condition);

/** Empty texts, lists and maps stand for "not given". */
function given<T>(value: T | undefined | null): value is T {
  if (value === undefined || value === null) return false;
  if (typeof value === 'string') return value.trim() !== '';
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/**
 * Who the selectors of one side mean. With a namespace selector: whose namespace it selects. Without
 * one, in a policy of a namespace: that namespace, as soon as any selector stands there at all, the
 * negated one included (datamodel §1.21).
 */
function positiveTest(entity: EntityRule, home: RuleHome): LabelTest | 'unknown' | undefined {
  const tests: (LabelTest | undefined)[] = [];
  if (given(entity.selector)) tests.push(testOf(() => selectorTest(String(entity.selector))));
  if (given(entity.namespaceSelector)) {
    tests.push(testOf(() => namespaceTest(String(entity.namespaceSelector))));
  } else if (
    home.namespace !== undefined &&
    (given(entity.selector) || given(entity.notSelector))
  ) {
    const own = home.namespace;
    tests.push((labels) => labels['projectcalico.org/namespace'] === own);
  }
  if (tests.length === 0) return undefined;
  if (tests.includes(undefined)) return 'unknown';
  return (labels) => tests.every((test) => test?.(labels) === true);
}

function testOf(make: () => LabelTest): LabelTest | undefined {
  try {
    return make();
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    return undefined;
  }
}

function inNets(nets: unknown, address: Address): Condition {
  if (!Array.isArray(nets)) return undefined;
  let inside = false;
  for (const text of nets.map(String)) {
    const bare = Address.tryParse(text);
    const net = bare === undefined ? Cidr.tryParse(text) : Cidr.host(bare);
    if (net === undefined) return undefined;
    inside ||= net.contains(address);
  }
  return inside;
}

interface PortList {
  readonly list: unknown;
  readonly limit: LabelTest;
  readonly address: Address;
  readonly port: number | undefined;
}

/** Numbers and ranges, or a name that the endpoint of this side has for the port. */
function portCondition(context: Context, { list, limit, address, port }: PortList): Condition {
  const { world, rule, packet } = context;
  if (!Array.isArray(list)) return undefined;
  const protocol = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
  let found = false;
  for (const item of list.map(String)) {
    const range = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(item);
    if (range === null && !/^[a-zA-Z0-9_.-]{1,128}$/.test(item)) return undefined;
    // Names alone may do without a protocol; then they are those of TCP ports, as in Calico.
    const wanted = protocol ?? (range === null && rule.protocol === undefined ? TCP : undefined);
    if (wanted === undefined || !WITH_PORTS.includes(wanted)) return undefined;
    if (range === null) {
      found ||=
        port !== undefined &&
        packet.protocol === wanted &&
        hasNamedPort(world, limit, address, { name: item, protocol: wanted, port });
      continue;
    }
    const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])];
    if (first > last || last > 65_535) return undefined;
    found ||= port !== undefined && port >= first && port <= last;
  }
  return found;
}
