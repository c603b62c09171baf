import { Type } from 'typebox';
import { isObjectName } from '../names.js';
import { DEFAULT_TIER } from '../policy.js';
import { isObject, stringifyJson, type JsonObject } from './json.js';
import { cell, nameColumn, type Column } from './kind.js';
import { checkSelector } from './metadata-checks.js';
import { POLICY_NAME_ANNOTATION, policyName, TIER_LABEL } from './policy-names.js';
import type { Problem } from './problem.js';
import { sortedMap, stringMapOf, stringOf, stringsOf, type Resource } from './resource.js';
import { checkRules } from './rule-checks.js';
import { completeRules, rulesShape } from './rule-shape.js';

const text = Type.Optional(Type.String());
const flag = Type.Optional(Type.Boolean());
const hints = Type.Optional(Type.Array(Type.String()));
const HINTS = ['AssumeNeededOnEveryNode'];
const direction = Type.Union([Type.Literal('Ingress'), Type.Literal('Egress')]);

/** Members of every policy's `spec`, in Calico's order. */
const common = {
  tier: text,
  // A pointer in Calico's own structures: no order and order 0 differ.
  order: Type.Optional(Type.Number({ always: true })),
  ingress: rulesShape,
  egress: rulesShape,
  selector: text,
  types: Type.Optional(Type.Array(direction)),
};
const action = ['Set', 'Delete', 'Learn', 'Ignore'].map((known) => Type.Literal(known));
const staged = { stagedAction: Type.Optional(Type.Union(action)) };
const namespaced = { ...common, serviceAccountSelector: text, performanceHints: hints };
const global = {
  ...common,
  doNotTrack: flag,
  preDNAT: flag,
  applyOnForward: flag,
  serviceAccountSelector: text,
  namespaceSelector: text,
  performanceHints: hints,
};

export const namespacedPolicyShape = Type.Object(namespaced);
export const globalPolicyShape = Type.Object(global);
export const stagedNamespacedPolicyShape = Type.Object({ ...staged, ...namespaced });
export const stagedGlobalPolicyShape = Type.Object({ ...staged, ...global });

/** A number as Go prints it: `1e+06` from a million up. */
export function goNumber(value: unknown): string {
  if (typeof value !== 'number') return '<nil>';
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21 && Math.abs(value) < 1e6) return String(value);
  return value
    .toExponential()
    .replace(/e([+-])(\d)$/, (_, sign: string, digit: string) => `e${sign}0${digit}`);
}

export const policyColumns: readonly Column[] = [
  nameColumn,
  { heading: 'TIER', value: ({ spec }) => cell(spec['tier']) },
  { heading: 'ORDER', value: ({ spec }) => goNumber(spec['order']) },
  { heading: 'SELECTOR', value: ({ spec }) => cell(spec['selector']) },
];
export const policyHeadings = ['NAME', 'TIER'];
export const policyWideHeadings = ['NAME', 'TIER', 'ORDER', 'SELECTOR'];

/** What may be left out, and the two members of `metadata` that Calico keeps itself (datamodel §6.14). */
export function completePolicy({ metadata, spec }: Resource): void {
  spec['tier'] = stringOf(spec, 'tier', DEFAULT_TIER);
  for (const member of ['ingress', 'egress']) {
    if (spec[member] !== undefined) spec[member] = completeRules(spec[member]);
  }
  const isDeletion = stringOf(spec, 'stagedAction') === 'Delete';
  if (!isDeletion && !isGiven(spec['types'])) spec['types'] = defaultTypes(spec);
  metadata.labels = { ...metadata.labels, [TIER_LABEL]: stringOf(spec, 'tier') };
  metadata.annotations = {
    ...metadata.annotations,
    [POLICY_NAME_ANNOTATION]: stringifyJson({ name: metadata.name }),
  };
}

function defaultTypes(spec: JsonObject): string[] {
  if (!isGiven(spec['egress'])) return ['Ingress'];
  return isGiven(spec['ingress']) ? ['Ingress', 'Egress'] : ['Egress'];
}

const isGiven = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

/** The policy under the name that its user gave it, without the annotation that holds it, and with its tier's label. */
export function shownPolicy(stored: Resource): Resource {
  const tier = stringOf(stored.spec, 'tier', DEFAULT_TIER);
  const labels = sortedMap({ ...stringMapOf(stored.metadata.labels), [TIER_LABEL]: tier });
  const metadata = { ...stored.metadata, name: policyName(stored), labels };
  if (isObject(metadata.annotations)) {
    const { [POLICY_NAME_ANNOTATION]: _name, ...annotations } = metadata.annotations;
    if (Object.keys(annotations).length > 0) metadata.annotations = annotations;
    else delete metadata.annotations;
  }
  return { ...stored, metadata };
}

const NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)?$/;

/** One DNS label, or two with a dot between (datamodel §3.1). */
export function checkPolicyName({ kind, metadata }: Resource): Problem[] {
  const { name } = metadata;
  const field = 'Metadata.Name';
  if (kind.endsWith('NetworkPolicy') && name.startsWith('knp.default.')) {
    const reason = 'network policies of Kubernetes are managed through Kubernetes only';
    return [{ field, value: name, reason }];
  }
  if (name.startsWith('ossg.default.') && isObjectName(name)) return [];
  if (NAME.test(name) && name.length <= 253) return [];
  const reason =
    "name must consist of lower case alphanumeric characters or '-', begin and end with one of the former, and have at most one '.', such as 'allow-web'";
  return [{ field, value: name, reason }];
}

/** Problems of a policy of any kind (datamodel §3.4). */
export function checkPolicy({ spec }: Resource): Problem[] {
  const problems = [
    ...checkSelector('Selector', spec['selector']),
    ...checkSelector('NamespaceSelector', spec['namespaceSelector']),
    ...checkRules(spec['ingress'], 'ingress'),
    ...checkRules(spec['egress'], 'egress'),
    ...checkFlags(spec),
  ];
  const hinted = stringsOf(spec, 'performanceHints');
  if (hinted.some((hint) => !HINTS.includes(hint)) || new Set(hinted).size < hinted.length) {
    const reason = `can hold each of ${HINTS.join(', ')} once`;
    problems.push({ field: 'spec.performanceHints', value: hinted.join(','), reason });
  }
  const types = spec['types'];
  if (Array.isArray(types) && new Set(types).size < types.length) {
    const reason = 'each of Ingress and Egress can stand there once';
    problems.push({ field: 'spec.types', value: types.join(','), reason });
  }
  if (stringOf(spec, 'serviceAccountSelector') !== '') {
    const reason = 'service accounts exist in Kubernetes only';
    problems.push({ field: 'spec.serviceAccountSelector', reason });
  }
  return problems;
}

function checkFlags(spec: JsonObject): Problem[] {
  const { doNotTrack, preDNAT, applyOnForward } = spec;
  const problems: Problem[] = [];
  if (doNotTrack === true && preDNAT === true) {
    const reason = 'a policy cannot be both doNotTrack and preDNAT: write two';
    problems.push({ field: 'spec.preDNAT', value: 'true', reason });
  }
  for (const [field, value] of Object.entries({ doNotTrack, preDNAT })) {
    if (value !== true || applyOnForward === true) continue;
    const reason = `${field} needs applyOnForward: true`;
    problems.push({ field: `spec.${field}`, value: 'true', reason });
  }
  const types = Array.isArray(spec['types']) ? spec['types'] : [];
  if (preDNAT === true && (isGiven(spec['egress']) || types.includes('Egress'))) {
    const reason = 'preDNAT knows ingress only: remove the egress rules and the type Egress';
    problems.push({ field: 'spec.preDNAT', value: 'true', reason });
  }
  return problems;
}
