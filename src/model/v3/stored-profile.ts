import { isDeepStrictEqual } from 'node:util';
import type { EntityRule, Profile, Rule, RuleAction } from '../profile.js';
import { isObject, type JsonObject } from './json.js';
import {
  API_VERSION,
  corrupt,
  decodeKind,
  encodeResource,
  inOrder,
  newMetadata,
  sortedMap,
  stringMapOf,
  type Identity,
  type Resource,
} from './resource.js';

const ACTIONS: readonly RuleAction[] = ['Allow', 'Deny', 'Log', 'Pass'];

/** A Profile; rules keep the members they have, older writers' empty `source` and `destination` are absent. */
export function decodeProfile(value: string, where?: string): Profile {
  return toProfile(decodeKind('Profile', value, where));
}

export function toProfile(resource: Resource): Profile {
  const { metadata, spec } = resource;
  return {
    name: metadata.name,
    ingress: toRules(spec['ingress'], resource),
    egress: toRules(spec['egress'], resource),
    labelsToApply: stringMapOf(spec['labelsToApply']),
  };
}

/** The rules of one direction as stored in a profile or policy; `corrupt` when one is no rule. */
export function toRules(value: unknown, owner: Resource): Rule[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw badRule(owner, 'rules are no list');
  return value.map((rule: unknown) => toRule(rule, owner));
}

function toRule(value: unknown, owner: Resource): Rule {
  if (!isObject(value)) throw badRule(owner, 'a rule is no object');
  const written = String(value['action'] ?? '').toLowerCase();
  const action = ACTIONS.find((known) => known.toLowerCase() === written);
  // The API lets a profile's rule have any action; guessing one could open what should be shut.
  if (action === undefined) {
    throw badRule(
      owner,
      `rule action ${JSON.stringify(value['action'] ?? '')} is none of ${ACTIONS.join(', ')}`,
    );
  }
  const { source, destination, ...rest } = withoutNulls(value);
  return {
    ...rest,
    action,
    ...toEntity('source', source),
    ...toEntity('destination', destination),
  };
}

function toEntity(
  side: 'source' | 'destination',
  value: unknown,
): { [S in typeof side]?: EntityRule } {
  if (!isObject(value)) return {};
  const entity = withoutNulls(value);
  return Object.keys(entity).length === 0 ? {} : { [side]: entity };
}

function withoutNulls(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

function badRule(owner: Resource, what: string): Error {
  return corrupt(what, `${owner.kind}(${owner.metadata.name})`);
}

/** Member order of a rule and of its two sides, as Calico writes them. */
export const RULE_ORDER = [
  'action',
  'ipVersion',
  'protocol',
  'icmp',
  'notProtocol',
  'notICMP',
  'source',
  'destination',
  'http',
  'metadata',
];
export const ENTITY_ORDER = [
  'nets',
  'selector',
  'namespaceSelector',
  'services',
  'ports',
  'notNets',
  'notSelector',
  'notPorts',
  'serviceAccounts',
];

/** A rule with its members in Calico's order. */
export function orderRule(rule: Readonly<JsonObject>): JsonObject {
  const ordered = inOrder({ ...rule }, RULE_ORDER);
  for (const side of ['source', 'destination']) {
    if (isObject(ordered[side])) ordered[side] = inOrder(ordered[side], ENTITY_ORDER);
  }
  return ordered;
}

/** A new Profile. */
export function encodeProfile(profile: Profile, identity: Identity): string {
  const { ingress, egress, labelsToApply } = profile;
  return encodeResource({
    kind: 'Profile',
    apiVersion: API_VERSION,
    metadata: newMetadata(profile.name, identity),
    spec: {
      ...(ingress.length === 0 ? {} : { ingress: ingress.map((rule) => orderRule({ ...rule })) }),
      ...(egress.length === 0 ? {} : { egress: egress.map((rule) => orderRule({ ...rule })) }),
      ...(Object.keys(labelsToApply).length === 0
        ? {}
        : { labelsToApply: sortedMap(labelsToApply) }),
    },
  });
}

/**
 * The profile of a Docker network: its endpoints carry the label of the same name, and accept
 * traffic from whoever carries it. Without `labelsToApply` nobody would (peers of the predecessor's
 * profiles cannot talk until a label comes from elsewhere).
 */
export function networkProfile(name: string): Profile {
  return {
    name,
    ingress: [{ action: 'Allow', source: { selector: `has(${name})` } }],
    egress: [{ action: 'Allow' }],
    labelsToApply: { [name]: '' },
  };
}

/** Who reaches its members is as the automatic profile says; no user wrote it. */
export function isAutomatic({ name, ingress }: Profile): boolean {
  return isDeepStrictEqual(ingress, networkProfile(name).ingress);
}

/** The profile that exists in no store: Calico's clients always list it (datamodel §1.3). */
export const DEFAULT_ALLOW_PROFILE = 'projectcalico-default-allow';
export const defaultAllowProfile: Profile = {
  name: DEFAULT_ALLOW_PROFILE,
  ingress: [{ action: 'Allow' }],
  egress: [{ action: 'Allow' }],
  labelsToApply: {},
};
