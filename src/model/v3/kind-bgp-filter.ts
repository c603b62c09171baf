import { Type } from 'typebox';
import { bitsOf, type Family } from '../address.js';
import { Cidr } from '../cidr.js';
import {
  asNumberShape,
  checkAsNumber,
  checkCommunity,
  checkRange,
  completeAsNumber,
  countPointer,
  optionalText,
} from './bgp-shape.js';
import { isObject, type JsonObject } from './json.js';
import { nameColumn, type Column, type Kind } from './kind.js';
import type { Problem } from './problem.js';
import { stringOf, stringsOf, type Resource } from './resource.js';

const rules = Type.Optional(
  Type.Array(
    Type.Object({
      cidr: optionalText,
      prefixLength: Type.Optional(
        Type.Object({ min: countPointer, max: countPointer }, { always: true }),
      ),
      source: optionalText,
      interface: optionalText,
      matchOperator: Type.Optional(
        Type.Union([
          Type.Literal('Equal'),
          Type.Literal('NotEqual'),
          Type.Literal('In'),
          Type.Literal('NotIn'),
        ]),
      ),
      peerType: Type.Optional(Type.Union([Type.Literal('eBGP'), Type.Literal('iBGP')])),
      communities: Type.Optional(Type.Object({ values: Type.Array(Type.String()) })),
      asPathPrefix: Type.Optional(Type.Array(asNumberShape)),
      priority: countPointer,
      action: Type.Union([Type.Literal('Accept'), Type.Literal('Reject')], { always: true }),
      operations: Type.Optional(
        Type.Array(
          Type.Object({
            addCommunity: Type.Optional(Type.Object({ value: optionalText })),
            prependASPath: Type.Optional(Type.Object({ prefix: Type.Array(asNumberShape) })),
            setPriority: Type.Optional(Type.Object({ value: countPointer })),
          }),
        ),
      ),
    }),
  ),
);

const LISTS = [
  ['exportV4', 4],
  ['importV4', 4],
  ['exportV6', 6],
  ['importV6', 6],
] as const;

const spec = Type.Object({ exportV4: rules, importV4: rules, exportV6: rules, importV6: rules });

export function filterRules(filter: JsonObject, member: string): JsonObject[] {
  const list = filter[member];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

function complete({ spec: filter }: Resource): void {
  for (const [member] of LISTS) {
    for (const rule of filterRules(filter, member)) {
      completeList(rule, 'asPathPrefix');
      for (const operation of filterRules(rule, 'operations')) {
        const prepend = operation['prependASPath'];
        if (isObject(prepend)) completeList(prepend, 'prefix');
      }
    }
  }
}

function completeList(object: JsonObject, member: string): void {
  const list = object[member];
  if (!Array.isArray(list)) return;
  const numbers: JsonObject = { ...list };
  for (const index of Object.keys(numbers)) completeAsNumber(numbers, index);
  object[member] = Object.values(numbers);
}

function check({ spec: filter }: Resource): Problem[] {
  return LISTS.flatMap(([member, family]) =>
    filterRules(filter, member).flatMap((rule, index) =>
      checkRule(`spec.${member}[${index}]`, rule, family),
    ),
  );
}

const PRIORITIES = [1, 2_147_483_646] as const;
/** What stands between quotes in BIRD's configuration. */
const INTERFACE = /^[A-Za-z0-9_.*@:-]{1,64}$/;

function checkRule(path: string, rule: JsonObject, family: Family): Problem[] {
  const asPath = Array.isArray(rule['asPathPrefix']) ? rule['asPathPrefix'] : [];
  const interfaceName = stringOf(rule, 'interface');
  const problems = [
    ...checkNetwork(path, rule, family),
    ...communitiesOf(rule).flatMap((value) => checkCommunity(`${path}.communities`, value)),
    ...asPath.flatMap((value: unknown) => checkAsNumber(`${path}.asPathPrefix`, value)),
    ...checkRange(`${path}.priority`, rule['priority'], PRIORITIES),
    ...filterRules(rule, 'operations').flatMap((operation, index) =>
      checkOperation(`${path}.operations[${index}]`, operation),
    ),
  ];
  if (stringOf(rule, 'action') === '') {
    problems.push({ field: `${path}.action`, reason: 'must be Accept or Reject' });
  }
  if (!['', 'RemotePeers'].includes(stringOf(rule, 'source'))) {
    const value = stringOf(rule, 'source');
    problems.push({ field: `${path}.source`, value, reason: 'supported values: "RemotePeers"' });
  }
  if (interfaceName !== '' && !INTERFACE.test(interfaceName)) {
    const reason = 'must be the name of an interface, with * for any characters';
    problems.push({ field: `${path}.interface`, value: interfaceName, reason });
  }
  if (communitiesOf(rule).length > 1) {
    problems.push({ field: `${path}.communities`, reason: 'one value is possible' });
  }
  if (rule['action'] === 'Reject' && filterRules(rule, 'operations').length > 0) {
    problems.push({ field: path, reason: 'operations may only be used with action Accept' });
  }
  return problems;
}

function communitiesOf(rule: JsonObject): string[] {
  return isObject(rule['communities']) ? stringsOf(rule['communities'], 'values') : [];
}

function checkNetwork(path: string, rule: JsonObject, family: Family): Problem[] {
  const text = stringOf(rule, 'cidr');
  const lengths = rule['prefixLength'];
  const problems: Problem[] = [];
  if ((text === '') !== (stringOf(rule, 'matchOperator') === '')) {
    const reason = 'cidr and matchOperator must both be set or both be empty';
    problems.push({ field: path, reason });
  }
  if (text !== '' && Cidr.tryParse(text)?.family !== family) {
    const reason = `must be an IPv${family} network in CIDR form`;
    problems.push({ field: `${path}.cidr`, value: text, reason });
  }
  if (!isObject(lengths)) return problems;
  if (text === '') {
    problems.push({ field: path, reason: 'cidr is required when prefixLength is set' });
  }
  const bounds = [0, bitsOf(family)] as const;
  return [
    ...problems,
    ...checkRange(`${path}.prefixLength.min`, lengths['min'], bounds),
    ...checkRange(`${path}.prefixLength.max`, lengths['max'], bounds),
  ];
}

function checkOperation(path: string, operation: JsonObject): Problem[] {
  const { addCommunity, prependASPath, setPriority } = operation;
  const given = [addCommunity, prependASPath, setPriority].filter((one) => one !== undefined);
  if (given.length !== 1) {
    return [{ field: path, reason: 'exactly one operation must be set' }];
  }
  if (isObject(addCommunity)) {
    return checkCommunity(`${path}.addCommunity.value`, stringOf(addCommunity, 'value'));
  }
  if (isObject(prependASPath)) {
    const numbers = Array.isArray(prependASPath['prefix']) ? prependASPath['prefix'] : [];
    return numbers.flatMap((value: unknown) =>
      checkAsNumber(`${path}.prependASPath.prefix`, value),
    );
  }
  const value = isObject(setPriority) ? (setPriority['value'] ?? '') : '';
  return checkRange(`${path}.setPriority.value`, value, PRIORITIES);
}

const count = (heading: string, member: string): Column => ({
  heading,
  value: (resource) => String(filterRules(resource.spec, member).length),
});
const headings = ['NAME', 'NUMEXPORTV4', 'NUMIMPORTV4', 'NUMEXPORTV6', 'NUMIMPORTV6'];

export const bgpFilterKind: Kind = {
  kind: 'BGPFilter',
  plural: 'bgpfilters',
  aliases: ['bgpf', 'bf'],
  namespaced: false,
  summary: 'which routes BGPPeers that name it take and give',
  example: `apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata:
  name: no-default-route
spec:
  importV4:
  - action: Reject
    matchOperator: Equal
    cidr: 0.0.0.0/0
`,
  spec,
  columns: [
    nameColumn,
    count('NUMEXPORTV4', 'exportV4'),
    count('NUMIMPORTV4', 'importV4'),
    count('NUMEXPORTV6', 'exportV6'),
    count('NUMIMPORTV6', 'importV6'),
  ],
  tableHeadings: headings,
  wideHeadings: headings,
  complete,
  check,
};
