import {
  DEFAULT_TIER,
  type NetworkPolicy,
  type PolicyDirection,
  type Tier,
  type TierAction,
} from '../policy.js';
import type { Rule } from '../profile.js';
import { isFault, messageOf } from '../../base/fault.js';
import { policyName } from './policy-names.js';
import { corrupt, decodeKind, decodeResource, stringOf, type Resource } from './resource.js';
import { selectorProblem, unsupportedOfRules } from './rule-support.js';
import { toRules } from './stored-profile.js';

const DIRECTIONS: readonly PolicyDirection[] = ['Ingress', 'Egress'];

/**
 * A NetworkPolicy or GlobalNetworkPolicy of any writer. `corrupt` when it cannot be told what it
 * applies to: no such object, or a selector that does not parse. Everything else that cannot be
 * enforced stands in `unsupported`.
 */
export function decodeNetworkPolicy(value: string, where?: string): NetworkPolicy {
  const resource = decodeResource(value, where);
  if (resource.kind !== 'NetworkPolicy' && resource.kind !== 'GlobalNetworkPolicy') {
    throw corrupt(`NetworkPolicy or GlobalNetworkPolicy expected, ${resource.kind} found`, where);
  }
  return toNetworkPolicy(resource, where);
}

/** `decodeNetworkPolicy` for an object that is read already. */
export function toNetworkPolicy(resource: Resource, where?: string): NetworkPolicy {
  const { kind, metadata, spec } = resource;
  const isGlobal = kind === 'GlobalNetworkPolicy';
  const { namespace } = metadata;
  if (!isGlobal && (namespace === undefined || namespace === '')) {
    throw corrupt(`${kind} ${metadata.name} without metadata.namespace`, where);
  }
  for (const member of ['selector', 'namespaceSelector']) {
    const problem = selectorProblem(spec[member]);
    if (problem !== undefined) {
      throw corrupt(`${kind} ${metadata.name}, spec.${member}: ${problem}`, where);
    }
  }
  const unsupported: string[] = [];
  const ingress = readRules('ingress', resource, unsupported);
  const egress = readRules('egress', resource, unsupported);
  const order = readOrder(spec['order'], unsupported);
  const namespaceSelector = stringOf(spec, 'namespaceSelector');
  if (stringOf(spec, 'serviceAccountSelector') !== '') {
    unsupported.push('serviceAccountSelector: service accounts exist in Kubernetes only');
  }
  return {
    name: policyName(resource),
    ...(isGlobal ? {} : { namespace }),
    tier: stringOf(spec, 'tier', DEFAULT_TIER),
    ...(order === undefined ? {} : { order }),
    selector: stringOf(spec, 'selector').trim() || 'all()',
    ...(isGlobal && namespaceSelector !== '' ? { namespaceSelector } : {}),
    types: readTypes(spec['types'], unsupported),
    ingress,
    egress,
    doNotTrack: isGlobal && spec['doNotTrack'] === true,
    preDNAT: isGlobal && spec['preDNAT'] === true,
    applyOnForward: isGlobal && spec['applyOnForward'] === true,
    unsupported,
  };
}

function readRules(
  direction: 'ingress' | 'egress',
  owner: Resource,
  unsupported: string[],
): readonly Rule[] {
  try {
    const rules = toRules(owner.spec[direction], owner);
    unsupported.push(...unsupportedOfRules(direction, rules));
    return rules;
  } catch (error) {
    if (!isFault(error, 'corrupt')) throw error;
    unsupported.push(`${direction}: ${messageOf(error)}`);
    return [];
  }
}

function readOrder(value: unknown, unsupported: string[]): number | undefined {
  if (value === undefined || value === null) return undefined;
  const order = typeof value === 'bigint' ? Number(value) : value;
  if (typeof order === 'number') return order;
  unsupported.push('order is no number');
  return undefined;
}

/** None in storage means both: only create and update fill them in (node-agent §5.2). */
function readTypes(value: unknown, unsupported: string[]): readonly PolicyDirection[] {
  if (value === undefined || value === null) return DIRECTIONS;
  const written: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = written.map((type) => (typeof type === 'string' ? type.toLowerCase() : ''));
  const types = DIRECTIONS.filter((direction) => texts.includes(direction.toLowerCase()));
  const known = DIRECTIONS.map((direction) => direction.toLowerCase());
  if (texts.every((text) => known.includes(text))) return types.length === 0 ? DIRECTIONS : types;
  unsupported.push('types hold something other than Ingress and Egress');
  return DIRECTIONS;
}

/** A Tier; without a default action it denies, as Calico does. */
export function decodeTier(value: string, where?: string): Tier {
  const { metadata, spec } = decodeKind('Tier', value, where);
  const order = readOrder(spec['order'], []);
  const pass = stringOf(spec, 'defaultAction').toLowerCase() === 'pass';
  const defaultAction: TierAction = pass ? 'Pass' : 'Deny';
  return { name: metadata.name, ...(order === undefined ? {} : { order }), defaultAction };
}
