import { deadline, Fault, isFault } from '../base/index.js';
import type { AllocationGate } from './ports.js';

/** The node name is claimed again at least every 5 s once the datastore answers: a start waits that long and a bit. */
const WAIT_MS = 10_000;

/**
 * Throws `refused` unless this host may give out addresses. Waits for a name that was lost in an outage of the
 * datastore: a refusal would leave containers with a restart policy down for good.
 */
export async function passGate(gate: AllocationGate, signal: AbortSignal): Promise<void> {
  if (!gate.mayAllocate().ok) await settle(gate, signal);
  const decision = gate.mayAllocate();
  if (!decision.ok) throw new Fault('refused', decision.message, { reason: decision.reason });
}

async function settle(gate: AllocationGate, signal: AbortSignal): Promise<void> {
  try {
    await gate.decided?.(deadline(WAIT_MS, signal));
  } catch (error) {
    // What stands in the way is told by the decision then.
    if (!isFault(error, 'timeout')) throw error;
  }
}
