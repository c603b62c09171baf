import type { TierList } from './applied-policies.js';
import type { Direction } from './rule-names.js';

/** What decides about the packets of an endpoint in one direction. */
export interface RuleOrder {
  readonly tiers: readonly TierList[];
  readonly profiles: readonly string[];
}

export interface ListSettings {
  /** `all`: every host of the cluster reaches the containers; `own`: only the host they run on. */
  readonly hostReach: 'own' | 'all';
  /**
   * Part of the names of chains, another one in each life of the agent: a chain of an earlier life may
   * have users of whom this one does not know, and is written again with the whole table only. Empty
   * unless told.
   */
  readonly life?: string;
  /** When more endpoints than this get another list at once, their chain is rewritten instead; 64 unless told. */
  readonly mostMoved?: number;
}

/** An endpoint that is to have this order, and the chain that it has. */
export interface Wanted {
  readonly user: string;
  readonly chain: string;
  readonly order: RuleOrder;
}

/** Users and the chains that they have now. */
export type Moved = ReadonlyMap<string, string>;

/** The chain that packets of an interface meet in the kernel, as an earlier life left it. */
export type KeptChains = (direction: Direction, interfaceName: string) => string | undefined;
