import { Type } from 'typebox';
import { Fault } from '../../base/fault.js';
import { isObject, type JsonObject } from './json.js';
import { stringOf, stringsOf } from './resource.js';

const text = Type.Optional(Type.String());
const texts = Type.Optional(Type.Array(Type.String()));
const numberOrText = Type.Union([Type.Integer(), Type.String()]);
const ports = Type.Optional(Type.Array(numberOrText));
// Protocol 0 is refused later; without it the rule would match everything.
const protocol = Type.Optional(Type.Union([Type.Integer(), Type.String()], { always: true }));
const icmp = Type.Optional(
  Type.Object({
    type: Type.Optional(Type.Integer({ always: true })),
    code: Type.Optional(Type.Integer({ always: true })),
  }),
);
const entity = Type.Optional(
  Type.Object({
    tag: text,
    net: text,
    nets: texts,
    selector: text,
    ports,
    notTag: text,
    notNet: text,
    notNets: texts,
    notSelector: text,
    notPorts: ports,
  }),
);

/** Rules of the first generation, as its manifests spell them. */
export const v1RulesShape = Type.Optional(
  Type.Array(
    Type.Object({
      action: text,
      ipVersion: Type.Optional(Type.Integer()),
      protocol,
      icmp,
      notProtocol: protocol,
      notICMP: icmp,
      source: entity,
      destination: entity,
    }),
  ),
);

const ACTIONS: Readonly<Record<string, string>> = {
  allow: 'Allow',
  deny: 'Deny',
  log: 'Log',
  pass: 'Pass',
};
const PROTOCOLS = ['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', 'UDPLite'];

/** The v3 rules of v1 rules that passed the strict reader (datamodel §4.7 and §6.15). */
export function convertV1Rules(value: unknown, direction: string): JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter(isObject)
    .map((rule, index) => convertRule(rule, `spec.${direction}[${index}]`));
}

function convertRule(rule: JsonObject, path: string): JsonObject {
  const written = stringOf(rule, 'action');
  const action = ACTIONS[written];
  if (action === undefined) {
    const message = `${path}.action must be allow, deny, log or pass in a v1 manifest, found "${written}"`;
    throw new Fault('invalid', message, { reason: 'v1-action' });
  }
  const converted: JsonObject = { action };
  const put = (member: string, member3: unknown): void => {
    if (member3 !== undefined) converted[member] = member3;
  };
  put('ipVersion', rule['ipVersion']);
  put('protocol', protocolName(rule['protocol']));
  put('icmp', rule['icmp']);
  put('notProtocol', protocolName(rule['notProtocol']));
  put('notICMP', rule['notICMP']);
  for (const side of ['source', 'destination']) {
    const entityV1 = rule[side];
    if (isObject(entityV1)) put(side, convertEntity(entityV1, `${path}.${side}`));
  }
  return converted;
}

function protocolName(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return PROTOCOLS.find((name) => name.toLowerCase() === value.toLowerCase()) ?? value;
}

function convertEntity(entityV1: JsonObject, path: string): JsonObject | undefined {
  const converted: JsonObject = {
    ...list('nets', mergeNets(entityV1, 'net', 'nets', path)),
    ...selector('selector', entityV1['selector'], entityV1['tag']),
    ...list('ports', entityV1['ports']),
    ...list('notNets', mergeNets(entityV1, 'notNet', 'notNets', path)),
    ...selector('notSelector', entityV1['notSelector'], entityV1['notTag']),
    ...list('notPorts', entityV1['notPorts']),
  };
  return Object.keys(converted).length === 0 ? undefined : converted;
}

function list(member: string, value: unknown): JsonObject {
  return Array.isArray(value) && value.length > 0 ? { [member]: value } : {};
}

function mergeNets(entityV1: JsonObject, one: string, many: string, path: string): string[] {
  const single = stringOf(entityV1, one);
  const several = stringsOf(entityV1, many);
  if (single !== '' && several.length > 0) {
    throw new Fault('invalid', `${path} has both ${one} and ${many}: write all in ${many}`);
  }
  return single === '' ? several : [single];
}

/** Tags became labels with an empty value. */
function selector(member: string, text3: unknown, tag: unknown): JsonObject {
  const selectorText = typeof text3 === 'string' ? text3 : '';
  if (typeof tag !== 'string' || tag === '') {
    return selectorText === '' ? {} : { [member]: selectorText };
  }
  const tagged = `${tag} == ''`;
  // `notSelector` excludes what it matches, so two exclusions are an or; `selector` requires both.
  const joined = member === 'selector' ? '&&' : '||';
  return { [member]: selectorText === '' ? tagged : `(${selectorText}) ${joined} ${tagged}` };
}
