import { Fault } from '../base/index.js';
import { resourceKey, resourcePrefix, type CallOptions, type Store } from '../datastore/index.js';
import { parseSelector } from '../model/index.js';
import {
  builtInTiers,
  decodeNetworkPolicy,
  decodeResource,
  stringOf,
  toHostEndpoint,
  type Resource,
} from '../model/v3/index.js';
import type { Io } from './io.js';
import type { WriteCheck } from './objects.js';
import { readEach } from './read-each.js';

const POLICY_PLURALS = [
  'networkpolicies',
  'globalnetworkpolicies',
  'stagednetworkpolicies',
  'stagedglobalnetworkpolicies',
];

/** A policy is put only into a tier that exists. */
export function policyTierCheck(store: Store, options?: CallOptions): WriteCheck {
  return async (next: Resource, previous) => {
    const tier = stringOf(next.spec, 'tier', 'default');
    if (previous !== undefined && stringOf(previous.spec, 'tier', 'default') === tier) return;
    if ((await store.get(resourceKey('tiers', tier), options)) !== undefined) return;
    const { entries } = await store.list(resourcePrefix('tiers'), options);
    const names = entries.map(({ key }) => key.slice(key.lastIndexOf('/') + 1)).join(', ');
    const message = `resource does not exist: Tier(${tier}) with error: <nil>: create the tier first, or use one of ${names}`;
    throw new Fault('not-found', message);
  };
}

/** The tiers that every datastore has stay, and so does one that still holds policies. */
export async function refuseTierInUse(
  store: Store,
  name: string,
  options?: CallOptions,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new Fault('unsupported', `operation Delete is not supported on ${name}: ${why}`);
  };
  if (builtInTiers.some((tier) => tier.name === name)) refuse(`Cannot delete ${name} tier`);
  const { entries } = await store.list(
    POLICY_PLURALS.map((each) => resourcePrefix(each)),
    options,
  );
  const inside = entries.find(({ value }) => tierOf(value) === name);
  if (inside === undefined) return;
  const path = inside.key.split('/').slice(5).join('/');
  refuse(`Cannot delete a non-empty tier: it holds ${path}; delete its policies first`);
}

/** The tier of a stored policy; undefined when the value cannot be understood. */
function tierOf(value: string): string | undefined {
  try {
    return stringOf(decodeResource(value).spec, 'tier', 'default');
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return undefined;
  }
}

/**
 * What the writer of a host endpoint must know: one without profile and policy shuts the host, but for
 * the failsafe ports (node-agent §5.6). Undefined when it has either.
 */
export async function lockOutWarning(
  io: Io,
  store: Store,
  resource: Resource,
  options?: CallOptions,
): Promise<string | undefined> {
  const { name, node, interfaceName, profiles, labels } = toHostEndpoint(resource);
  if (profiles.length > 0) return undefined;
  const { entries } = await store.list(resourcePrefix('globalnetworkpolicies'), options);
  const policies = readEach(io, entries, decodeNetworkPolicy);
  const selects = policies.some(
    ({ selector, namespaceSelector }) =>
      namespaceSelector === undefined && parseSelector(selector).evaluate(labels),
  );
  if (selects) return undefined;
  const where = interfaceName === '*' ? 'all interfaces' : (interfaceName ?? 'the interface');
  return `HostEndpoint ${name} has no profile and no policy selects it: ${node} refuses everything on ${where} except failsafe ports (SSH, DHCP, BGP, etcd) until one does; profiles: [projectcalico-default-allow] keeps it open`;
}
