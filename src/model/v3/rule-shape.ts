import { Type } from 'typebox';
import { isObject, type JsonObject } from './json.js';

const text = Type.Optional(Type.String());
const texts = Type.Optional(Type.Array(Type.String()));
const numberOrText = Type.Union([Type.Integer(), Type.String()]);
const ports = Type.Optional(Type.Array(numberOrText));
// Protocol 0 is no protocol, and a rule must not lose it for that: it would match them all.
const protocol = Type.Optional(Type.Union([Type.Integer(), Type.String()], { always: true }));
// Pointers in Calico's own structures: a zero is a value there.
const type = Type.Optional(Type.Integer({ always: true }));

const entity = Type.Optional(
  Type.Object({
    nets: texts,
    selector: text,
    namespaceSelector: text,
    services: Type.Optional(Type.Object({ name: text, namespace: text })),
    ports,
    notNets: texts,
    notSelector: text,
    notPorts: ports,
    serviceAccounts: Type.Optional(Type.Object({ names: texts, selector: text })),
  }),
);
const icmp = Type.Optional(Type.Object({ type, code: type }, { always: true }));

/** A rule of a profile or policy, members in Calico's order. */
export const ruleShape = Type.Object({
  action: Type.String({ always: true }),
  ipVersion: Type.Optional(Type.Integer({ always: true })),
  protocol,
  icmp,
  notProtocol: protocol,
  notICMP: icmp,
  source: entity,
  destination: entity,
  http: Type.Optional(
    Type.Object({
      methods: texts,
      paths: Type.Optional(Type.Array(Type.Object({ exact: text, prefix: text }))),
    }),
  ),
  metadata: Type.Optional(
    Type.Object({ annotations: Type.Optional(Type.Record(Type.String(), Type.String())) }),
  ),
});

export const rulesShape = Type.Optional(Type.Array(ruleShape));

/**
 * Rules with numbers as numbers: `"80"` and `"6"` are stored as 80 and 6, as Calico does.
 * Undefined stays undefined.
 */
export function completeRules(rules: unknown): unknown {
  return Array.isArray(rules)
    ? rules.map((rule) => (isObject(rule) ? completeRule(rule) : rule))
    : rules;
}

function completeRule(rule: JsonObject): JsonObject {
  const result = { ...rule };
  for (const member of ['protocol', 'notProtocol']) {
    if (result[member] !== undefined) result[member] = toNumber(result[member]);
  }
  for (const side of ['source', 'destination']) {
    const value = result[side];
    if (!isObject(value)) continue;
    const entityCopy = { ...value };
    for (const member of ['ports', 'notPorts']) {
      const list = entityCopy[member];
      if (Array.isArray(list)) entityCopy[member] = list.map(toNumber);
    }
    result[side] = entityCopy;
  }
  return result;
}

function toNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
}
