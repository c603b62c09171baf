import type { PoolUses } from './ports.js';
import { parsePoolId } from './pool-id.js';

interface OpenRequest {
  readonly poolId: string;
  readonly pool: string;
}

/** Requests that no network took: Docker releases them, unless it died in between. */
const OPEN_LIMIT = 1_000;

/**
 * Which PoolIDs belong to a network of ours. No call carries both a PoolID and a NetworkID: a network takes
 * the newest request whose answer was its pool. A pool that no network took was asked for by
 * another driver, such as bridge, and gives no container address: that would break the host's NAT.
 */
export class PoolUseBook implements PoolUses {
  readonly #open: OpenRequest[] = [];
  readonly #taken = new Set<string>();
  /** Pools of networks whose request was lost with a restart in between: benefit of the doubt. */
  readonly #unlinked = new Set<string>();

  requested(poolId: string, answer: { readonly pool: string }): void {
    this.#open.push({ poolId, pool: answer.pool });
    if (this.#open.length > OPEN_LIMIT) this.#open.shift();
  }

  adopt(data: readonly { readonly pool: string }[]): readonly string[] {
    return data.flatMap(({ pool }) => {
      const at = this.#open.findLastIndex((request) => request.pool === pool);
      const [request] = at < 0 ? [] : this.#open.splice(at, 1);
      if (request === undefined) {
        this.#unlinked.add(pool);
        return [];
      }
      this.#taken.add(request.poolId);
      return [request.poolId];
    });
  }

  /** PoolIDs of a stored network, at start and when another host made it. */
  restore(poolIds: readonly string[], pools: readonly string[]): void {
    for (const poolId of poolIds) this.#taken.add(poolId);
    if (poolIds.length === 0) for (const pool of pools) this.#unlinked.add(pool);
  }

  userOf(poolId: string): 'ours' | 'foreign' {
    if (this.#taken.has(poolId) || !parsePoolId(poolId).own) return 'ours';
    if (this.#open.some((request) => request.poolId === poolId)) return 'foreign';
    return this.#unlinked.size > 0 ? 'ours' : 'foreign';
  }

  released(poolId: string): void {
    this.#taken.delete(poolId);
    const at = this.#open.findIndex((request) => request.poolId === poolId);
    if (at >= 0) this.#open.splice(at, 1);
  }
}
