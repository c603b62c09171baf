import { deadline, Fault } from './base/index.js';
import type { Store } from './datastore/index.js';
import type { AllocationGate } from './ipam/index.js';
import type { LineageKeeper, NodeHold } from './node/index.js';

/** Addresses are given out by whoever holds the node's name, in a datastore in which all hosts have claimed theirs. */
export function allocationGate(hold: NodeHold, keeper: LineageKeeper): AllocationGate {
  return {
    mayAllocate: () => {
      const decision = hold.mayAllocate();
      return decision.ok ? keeper.mayAllocate() : decision;
    },
    decided: async (signal) => {
      await hold.decided(signal);
      await keeper.settled(signal);
    },
  };
}

const ANSWER_MS = 5_000;

/** Throws unless a container could be started now, as far as the datastore is concerned. */
export async function storeAnswers(
  store: Store,
  gate: AllocationGate,
  signal: AbortSignal,
): Promise<void> {
  await store.identify({ signal: deadline(ANSWER_MS, signal) });
  const decision = gate.mayAllocate();
  if (!decision.ok) throw new Fault('refused', decision.message, { reason: decision.reason });
}
