import type { HostEndpoint } from '../../model/index.js';
import type { AppliedPolicies, Stage, TierList } from './applied-policies.js';
import { askedOfHost, type AskedList, type AskedOrder } from './asked-chains.js';
import { directionOf, hostGates, type HostGate } from './host-base.js';
import type { HostParts } from './host-endpoints.js';
import { hostRules } from './list-rules.js';
import { EVERY_INTERFACE } from './resolve-hosts.js';
import { hostChain } from './rule-names.js';

/** The chains of one host endpoint, and those that they jump to, which it uses from now on. */
export interface BuiltHost {
  readonly id: string;
  readonly chains: Readonly<Partial<Record<HostGate, string>>>;
  readonly rules: readonly string[];
  readonly tiers: readonly string[];
}

export const noChains: BuiltHost['chains'] = {};

const STAGES: Readonly<Record<HostGate, Stage>> = {
  'raw-in': 'untracked',
  'raw-out': 'untracked',
  'before-dnat': 'before-dnat',
  'forward-in': 'forward',
  'forward-out': 'forward',
  in: 'normal',
  out: 'normal',
};

interface Named {
  readonly id: string;
  /** What policies are matched with. */
  readonly key: string;
  readonly endpoint: HostEndpoint;
}

/** Puts its chains: of local traffic always, of the other places where policies ask for them. */
export function buildHost(parts: HostParts, { id, key, endpoint }: Named): BuiltHost {
  const { sink, rules, tiers: shared, applied } = parts;
  const chains: Partial<Record<HostGate, string>> = {};
  const usedRules: string[] = [];
  const usedTiers: string[] = [];
  for (const gate of hostGates) {
    const direction = directionOf(gate);
    const isLocal = gate === 'in' || gate === 'out';
    const order = orderAt(applied, { key, endpoint }, gate);
    if (!isLocal && order.tiers.length === 0) continue;
    if (isUntracked(gate) && endpoint.interfaceName === EVERY_INTERFACE) continue;
    const tierChains = order.tiers.map((tier) => shared.use(direction, tier));
    const profiles = [...new Set(order.profiles)].map((name) =>
      rules.use({ kind: 'profile', name }, direction),
    );
    const chain = hostChain(gate, id);
    sink.putChain(chain, { rules: hostRules(gate, tierChains, profiles) });
    chains[gate] = chain;
    usedTiers.push(...tierChains);
    usedRules.push(...profiles);
  }
  return { id, chains, rules: usedRules, tiers: usedTiers };
}

/** What a host endpoint's packets are held against at one place. */
function orderAt(
  applied: AppliedPolicies,
  { key, endpoint }: Pick<Named, 'key' | 'endpoint'>,
  gate: HostGate,
): AskedOrder {
  const tiers = applied
    .tiers(key, directionOf(gate), STAGES[gate])
    .map((tier) => endless(gate, tier));
  return { tiers, profiles: gate === 'in' || gate === 'out' ? endpoint.profiles : [] };
}

/** Its chains as they were built, with what they jump to. */
export function askedByHost(
  applied: AppliedPolicies,
  { key, endpoint }: Named,
  chains: BuiltHost['chains'],
): AskedList[] {
  return askedOfHost(chains, STAGES, (gate) => orderAt(applied, { key, endpoint }, gate));
}

const isUntracked = (gate: HostGate): boolean => gate === 'raw-in' || gate === 'raw-out';

/** Raw and preDNAT policies decide only what they match: later ones decide about the rest. */
function endless(gate: HostGate, tier: TierList): TierList {
  return isUntracked(gate) || gate === 'before-dnat' ? { ...tier, defaultAction: 'Pass' } : tier;
}
