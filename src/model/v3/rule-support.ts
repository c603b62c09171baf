import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import type { Rule } from '../profile.js';
import { parseSelector } from '../selector.js';
import { messageOf } from '../../base/fault.js';
import { isObject } from './json.js';

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'udplite'];
const WITH_PORTS = ['tcp', 'udp', 'sctp', '6', '17', '132'];
const ICMP_ONLY = ['icmp', 'icmpv6', '1', '58'];
const PORT_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;

/**
 * What of stored rules cannot be enforced, in words that name the rule: members that mean something
 * in Kubernetes only, and values that mean nothing. Empty when everything can.
 */
export function unsupportedOfRules(direction: string, rules: readonly Rule[]): string[] {
  return rules.flatMap((rule, index) =>
    reasonsOf(rule).map((reason) => `${direction}[${index}]: ${reason}`),
  );
}

function reasonsOf(rule: Rule): string[] {
  const reasons: string[] = [];
  if (rule.http !== undefined) reasons.push('http needs a proxy, which plain Docker hosts lack');
  const version: unknown = rule.ipVersion;
  if (version !== undefined && version !== 4 && version !== 6) {
    reasons.push(`ipVersion ${shown(version)} is neither 4 nor 6`);
  }
  for (const member of ['protocol', 'notProtocol'] as const) {
    const value: unknown = rule[member];
    if (value !== undefined && !isProtocol(value)) {
      reasons.push(`${member} ${shown(value)} is no protocol`);
    }
  }
  for (const member of ['icmp', 'notICMP'] as const) reasons.push(...icmpReasons(rule, member));
  for (const side of ['source', 'destination'] as const) {
    const entity: unknown = rule[side];
    if (isObject(entity)) {
      reasons.push(...entityReasons(entity, rule).map((reason) => `${side}.${reason}`));
    }
  }
  return reasons;
}

function isProtocol(value: unknown): boolean {
  const text = textOf(value).toLowerCase();
  return PROTOCOLS.includes(text) || isInteger(text, 1, 255);
}

function icmpReasons(rule: Rule, member: 'icmp' | 'notICMP'): string[] {
  const match: unknown = rule[member];
  if (match === undefined) return [];
  if (!isObject(match)) return [`${member} ${shown(match)} is no map`];
  const { type, code } = match;
  const bad = [type, code].find(
    (value) => value !== undefined && value !== null && !isInteger(value, 0, 255),
  );
  if (bad !== undefined) return [`${member} ${shown(bad)} is no number from 0 to 255`];
  const nothing = [type, code].every((value) => value === undefined || value === null);
  if (nothing) return member === 'icmp' ? [] : ['notICMP has no type'];
  const protocol = textOf(rule.protocol).toLowerCase();
  // Profiles may leave the protocol out; a negation without it would match every other protocol.
  if (ICMP_ONLY.includes(protocol) || (protocol === '' && member === 'icmp')) return [];
  return [`${member} without protocol ICMP or ICMPv6`];
}

function entityReasons(entity: Readonly<Record<string, unknown>>, rule: Rule): string[] {
  const reasons: string[] = [];
  for (const member of ['services', 'serviceAccounts']) {
    if (given(entity[member])) reasons.push(`${member} exist in Kubernetes only`);
  }
  for (const member of ['nets', 'notNets']) {
    reasons.push(...listReasons(member, entity[member], isNet, 'no network'));
  }
  for (const member of ['selector', 'notSelector', 'namespaceSelector']) {
    const problem = selectorProblem(entity[member]);
    if (problem !== undefined) reasons.push(`${member}: ${problem}`);
  }
  const named = WITH_PORTS.includes(textOf(rule.protocol).toLowerCase());
  for (const member of ['ports', 'notPorts']) {
    const value = entity[member];
    reasons.push(...listReasons(member, value, isPort, 'no port'));
    const numeric = Array.isArray(value) && value.some((port) => !isNamedPort(port));
    if (given(value) && !named && (numeric || rule.protocol !== undefined)) {
      reasons.push(`${member} without protocol TCP, UDP or SCTP`);
    }
  }
  return reasons;
}

/** Empty lists, maps and texts stand for "not given" in Calico's structures. */
function given(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return !isObject(value) || Object.keys(value).length > 0;
}

function listReasons(
  member: string,
  value: unknown,
  fits: (item: unknown) => boolean,
  complaint: string,
): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return [`${member} ${shown(value)} is no list`];
  const bad: unknown[] = value.filter((item) => !fits(item));
  return bad.slice(0, 1).map((item) => `${member} holds ${shown(item)}, which is ${complaint}`);
}

function isNet(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  return Cidr.tryParse(value) !== undefined || Address.tryParse(value) !== undefined;
}

/** Why a stored selector cannot be used; undefined for one that is fine or not given. */
export function selectorProblem(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') return `${shown(value)} is no text`;
  try {
    parseSelector(value);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function isPort(value: unknown): boolean {
  if (isInteger(value, 0, 65_535) || isNamedPort(value)) return true;
  const [first, last, ...more] = textOf(value).split(':');
  const range = isInteger(first, 0, 65_535) && isInteger(last, 0, 65_535);
  return range && more.length === 0 && Number(first) <= Number(last);
}

/** Whether a member of `ports` is a name, not a number or a range. */
function isNamedPort(value: unknown): boolean {
  return typeof value === 'string' && PORT_NAME.test(value) && !/^\d+$/.test(value);
}

function isInteger(value: unknown, least: number, most: number): boolean {
  const text = textOf(value);
  return /^\d{1,5}$/.test(text) && Number(text) >= least && Number(text) <= most;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A stored value for a message; JSON could hold anything here. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 60);
}
