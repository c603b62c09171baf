import { describeHolder, type Holder } from './holder.js';

/** May this host give out and free addresses now? */
export type Decision =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: HoldRefusal; readonly message: string };

/** Why the node name is not ours (yet); the same word in logs, metrics and `status`. */
export type HoldRefusal = 'hold-pending' | 'hold-lost' | 'hold-contested' | 'hold-unreachable';

export const refusal = (reason: HoldRefusal, message: string): Decision => ({
  ok: false,
  reason,
  message,
});

/** Nothing is to be waited for: the name is ours, or a rival lives. */
export const isSettled = (decision: Decision): boolean =>
  decision.ok || decision.reason === 'hold-contested';

export function waitsFor(self: Holder, other: Holder | undefined): Decision {
  const who = describeHolder(other);
  return refusal(
    'hold-pending',
    `node name ${self.node} is still leased to ${who}; waits for that to run out`,
  );
}

export function contested(self: Holder, other: Holder | undefined): Decision {
  const copy = other?.uuid === self.uuid && other.bootId !== self.bootId;
  const cure = copy
    ? 'one is a copy of the other: remove host-uuid from its state folder and give it another NODENAME'
    : 'give one of them another NODENAME';
  const message =
    `node name ${self.node} is used by ${describeHolder(other)}, and this is ${describeHolder(self)}; ` +
    `this one neither gives out nor frees addresses; ${cure}`;
  return refusal('hold-contested', message);
}
