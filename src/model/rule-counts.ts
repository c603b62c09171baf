import type { PolicyDirection } from './policy.js';

/** An endpoint of a container by the ID that the agent knows it by, or a host endpoint by its name. */
export interface CountedEndpoint {
  readonly kind: 'workload' | 'host';
  readonly id: string;
}

/** What the kernel has counted for one rule. */
export interface RuleCount {
  readonly packets: number;
  readonly bytes: number;
}

/** A policy's or profile's rules, by their place; null: the kernel has no rule for it, as it can match nothing. */
export interface CountedRules {
  readonly name: string;
  readonly rules: readonly (RuleCount | null)[];
}

/** What the kernel has counted of what an endpoint's packets are held against. */
export interface CountedList {
  readonly direction: PolicyDirection;
  readonly stage: 'untracked' | 'preDNAT' | 'forward' | 'normal';
  readonly tiers: readonly {
    readonly name: string;
    /** Denied because none of its policies decided. */
    readonly ended: RuleCount | null;
    readonly policies: readonly CountedRules[];
  }[];
  readonly profiles: readonly CountedRules[];
  /** Denied because nothing decided. */
  readonly denied: RuleCount | null;
}
