import type { PolicyDirection } from '../index.js';

export type Verdict = 'allow' | 'deny';

/** Which of a policy's flags chooses the place: before tracking, before DNAT, on forwarding, or none. */
export type Stage = 'untracked' | 'preDNAT' | 'forward' | 'normal';

/** Where a decision was made: an endpoint, or the host itself. */
export interface Place {
  readonly node: string;
  readonly kind: 'workload' | 'hostEndpoint' | 'host';
  /** `namespace/name` of a workload endpoint, the name of a host endpoint, or of the node. */
  readonly name: string;
  readonly direction: PolicyDirection;
  readonly stage: Stage;
}

/** A policy as messages name it. */
export interface PolicyRef {
  readonly tier: string;
  readonly policy: string;
  readonly namespace?: string;
}

/** What decided; rules are counted from 0, as in the object. */
export type Reason =
  | (PolicyRef & { readonly type: 'policy'; readonly rule: number })
  | (PolicyRef & { readonly type: 'unsupported'; readonly what: readonly string[] })
  /** Policies of the tier apply and none of them decided. */
  | { readonly type: 'end-of-tier'; readonly tier: string }
  | { readonly type: 'profile'; readonly profile: string; readonly rule: number }
  | { readonly type: 'missing-profile'; readonly profile: string }
  /** No policy applies, and no profile either, or no rule of them matched. */
  | { readonly type: 'no-match'; readonly profiles: readonly string[] }
  | { readonly type: 'failsafe'; readonly port: number }
  /** What every host does, whatever the policies are; in words. */
  | { readonly type: 'built-in'; readonly what: string };

export interface Decision {
  readonly place: Place;
  readonly verdict: Verdict;
  readonly reason: Reason;
  /** Log rules on the way, in order. */
  readonly logged: readonly (PolicyRef | { readonly profile: string })[];
}

/** What becomes of a flow on one host or on its whole way; the first denial is what counts. */
export interface FlowVerdict {
  readonly verdict: Verdict;
  readonly decisions: readonly Decision[];
}

/** One line for people. */
export function describeReason(reason: Reason): string {
  switch (reason.type) {
    case 'policy':
      return `${policyText(reason)}, rule ${reason.rule}`;
    case 'unsupported':
      return `${policyText(reason)} cannot be enforced and denies all: ${reason.what.join('; ')}`;
    case 'end-of-tier':
      return `end of tier ${reason.tier}: its policies apply and none decides`;
    case 'profile':
      return `profile ${reason.profile}, rule ${reason.rule}`;
    case 'missing-profile':
      return `profile ${reason.profile} does not exist`;
    case 'no-match':
      return reason.profiles.length === 0
        ? 'no policy applies and it has no profile'
        : `no rule of its profiles matches (${reason.profiles.join(', ')})`;
    case 'failsafe':
      return `failsafe port ${reason.port}`;
    case 'built-in':
      return reason.what;
  }
}

function policyText({ tier, policy, namespace }: PolicyRef): string {
  const name = namespace === undefined ? policy : `${namespace}/${policy}`;
  return tier === 'default' ? `policy ${name}` : `policy ${name} of tier ${tier}`;
}
