import type { Family } from '../model/index.js';
import { parsePoolId } from './pool-id.js';
import type { PoolUses } from './ports.js';

interface OpenRequest {
  readonly poolId: string;
  readonly pool: string;
}

/** A PoolID that a network took. */
export interface AdoptedPool {
  readonly poolId: string;
  /** The user gave no subnet: addresses come from any automatic pool. */
  readonly automatic: boolean;
  readonly family: Family;
}

/** Requests that no network took: Docker releases them, unless it died in between. */
const OPEN_LIMIT = 1_000;

/**
 * Which PoolIDs belong to a network of ours. No call carries both a PoolID and a NetworkID: a network takes
 * the newest request whose answer was its pool. A pool that no network took was asked for by another
 * driver, such as bridge, and gives no container address: that would break the host's NAT.
 */
export class PoolUseBook implements PoolUses {
  readonly #open: OpenRequest[] = [];
  readonly #taken = new Set<string>();
  /** Pools for which a network had several requests to choose from: it may have taken another one's. */
  readonly #ambiguous = new Set<string>();
  readonly #foreignNetworksExist: () => boolean;

  /** `foreignNetworksExist`: Docker has a network of another driver with our IPAM, as far as is known. */
  constructor(foreignNetworksExist: () => boolean = () => true) {
    this.#foreignNetworksExist = foreignNetworksExist;
  }

  requested(poolId: string, answer: { readonly pool: string }): void {
    this.#open.push({ poolId, pool: answer.pool });
    if (this.#open.length > OPEN_LIMIT) this.#open.shift();
  }

  adopt(data: readonly { readonly pool: string }[]): readonly AdoptedPool[] {
    return data.flatMap(({ pool }) => {
      const request = this.#takeOpen(pool);
      if (request === undefined) return [];
      const { poolName, family = 4 } = parsePoolId(request.poolId);
      return [{ poolId: request.poolId, automatic: poolName === undefined, family }];
    });
  }

  /** PoolIDs of a stored network, at start and when another host made it. */
  restore(poolIds: readonly string[]): void {
    for (const poolId of poolIds) this.#taken.add(poolId);
  }

  /** `unknown`: asked for in an earlier life of the daemon, or on another host. */
  userOf(poolId: string): 'ours' | 'foreign' | 'unknown' {
    if (this.#taken.has(poolId) || !parsePoolId(poolId).own) return 'ours';
    const open = this.#open.find((request) => request.poolId === poolId);
    if (open !== undefined) return this.#ambiguous.has(open.pool) ? 'ours' : 'foreign';
    return this.#foreignNetworksExist() ? 'unknown' : 'ours';
  }

  released(poolId: string): void {
    this.#taken.delete(poolId);
    const at = this.#open.findIndex((request) => request.poolId === poolId);
    if (at >= 0) this.#open.splice(at, 1);
  }

  #takeOpen(pool: string): OpenRequest | undefined {
    const candidates = this.#open.filter((request) => request.pool === pool).length;
    if (candidates > 1) this.#ambiguous.add(pool);
    const at = this.#open.findLastIndex((request) => request.pool === pool);
    const [request] = at < 0 ? [] : this.#open.splice(at, 1);
    if (request !== undefined) this.#taken.add(request.poolId);
    return request;
  }
}
