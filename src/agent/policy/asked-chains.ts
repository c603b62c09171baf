import { hostGates, directionOf, type HostGate } from './host-base.js';
import type { Stage, TierList } from './applied-policies.js';
import { policyChain, profileChain, tierChain, type Direction } from './rule-names.js';

/** A policy or profile with the chain of its rules. */
export interface NamedChain {
  /** A policy's ID, a profile's name. */
  readonly name: string;
  readonly chain: string;
}

/** The chains that an endpoint's packets meet at one place, in order. */
export interface AskedList {
  readonly direction: Direction;
  readonly stage: Stage;
  /** Shared by all endpoints with the same order; of a host endpoint its own. */
  readonly chain: string;
  readonly tiers: readonly (NamedChain & { readonly policies: readonly NamedChain[] })[];
  readonly profiles: readonly NamedChain[];
}

export interface AskedOrder {
  readonly tiers: readonly TierList[];
  readonly profiles: readonly string[];
}

export function askedList(
  place: Pick<AskedList, 'direction' | 'stage' | 'chain'>,
  { tiers, profiles }: AskedOrder,
): AskedList {
  const { direction } = place;
  return {
    ...place,
    tiers: tiers.map((tier) => ({
      name: tier.name,
      chain: tierChain(direction, tier),
      policies: tier.policies.map((name) => ({ name, chain: policyChain(direction, name) })),
    })),
    profiles: [...new Set(profiles)].map((name) => ({
      name,
      chain: profileChain(direction, name),
    })),
  };
}

/** Those of a host endpoint, of its chains by gate. */
export function askedOfHost(
  chains: Readonly<Partial<Record<HostGate, string>>>,
  stages: Readonly<Record<HostGate, Stage>>,
  orderAt: (gate: HostGate) => AskedOrder,
): AskedList[] {
  return hostGates.flatMap((gate) => {
    const chain = chains[gate];
    if (chain === undefined) return [];
    const place = { direction: directionOf(gate), stage: stages[gate], chain };
    return [askedList(place, orderAt(gate))];
  });
}
