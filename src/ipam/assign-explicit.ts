import { Fault, type Clock } from '../base/index.js';
import type { CallOptions } from '../datastore/index.js';
import {
  Cidr,
  holderOf,
  poolOf,
  type Address,
  type BlockAttribute,
  type IpPool,
} from '../model/index.js';
import type { BlockCache, CachedBlock } from './block-cache.js';
import type { Catalog } from './catalog.js';
import { openPoolOf, type BlockWork } from './block-write.js';
import type { ClaimQueue } from './claim-queue.js';
import type { HandleBook } from './handle-book.js';
import type { Leases } from './leases.js';
import { describeHolder, isOurs, isPoolHandle, type Host } from './owner.js';
import type { PoolId } from './pool-id.js';
import { describePools, refuseDrained } from './pools.js';
import type { BoundEndpoint, EndpointsByAddress } from './ports.js';

export interface ExplicitRequest {
  readonly address: Address;
  readonly poolId: PoolId;
  readonly holder: 'endpoint' | 'pool';
  readonly attribute: BlockAttribute;
  readonly handle: string;
  readonly signal: AbortSignal;
}

export interface ExplicitAssignerDependencies {
  readonly host: Host;
  readonly catalog: Catalog;
  readonly blocks: BlockCache;
  readonly handles: HandleBook;
  readonly leases: Leases;
  readonly queue: ClaimQueue;
  readonly endpoints: EndpointsByAddress;
  readonly clock: Clock;
}

/** An unbound address older than this belongs to a start that never came to an end. */
const ABANDONED_MS = 60_000;

/** What becomes of the present holder: nothing (shared), an endpoint that gives way, or a claim without one. */
type Replacement =
  | { readonly type: 'none' }
  | { readonly type: 'shared' }
  | { readonly type: 'endpoint'; readonly endpoint: BoundEndpoint; readonly holder: BlockAttribute }
  | { readonly type: 'claim'; readonly holder: BlockAttribute };

/**
 * Assignment of one given address (datamodel §2.8): `--ip`, `--gateway`, `--aux-address`. Selectors,
 * reservations and the block limit do not count; strict affinity does.
 */
export class ExplicitAssigner {
  readonly #deps: ExplicitAssignerDependencies;

  constructor(dependencies: ExplicitAssignerDependencies) {
    this.#deps = dependencies;
  }

  async assign(request: ExplicitRequest): Promise<Address> {
    const { blocks, queue } = this.#deps;
    const { address } = request;
    const cidr = Cidr.of(address, this.#poolOf(request).blockSize);
    let record = await blocks.fetch(cidr, request);
    // Another program may have freed it since: ask before refusing.
    if (holderOf(record.block, address) !== undefined)
      record = await this.#fetchAgain(cidr, request);
    const holder = holderOf(record.block, address);
    const replacement: Replacement =
      holder === undefined ? { type: 'none' } : await this.#replacementFor(holder, request);
    if (replacement.type === 'shared') return address;
    this.#refuseForeignBlock(record, address);
    blocks.put(record);
    const work = await this.#work(request, replacement);
    const claimed = await queue.submit(cidr, work, request.signal);
    if (replacement.type === 'endpoint') replacement.endpoint.evicted();
    return claimed ?? address;
  }

  #poolOf({ address, poolId }: ExplicitRequest): IpPool {
    const { catalog } = this.#deps;
    const pools = catalog.pools.map(({ value }) => value);
    const pool = poolOf(pools, address);
    const named = poolId.poolName;
    if (pool === undefined || (named !== undefined && pool.name !== named)) {
      const where = named === undefined ? 'every pool' : `pool ${named}`;
      const message = `${address} is outside ${where}; ${describePools(catalog.pools)}`;
      throw new Fault('invalid', message, { reason: 'outside-pool' });
    }
    if (pool.closed || !pool.allowedUses.includes('Workload')) {
      const message =
        `pool ${pool.name} (${pool.cidr}) takes no workloads: it is disabled, being deleted, ` +
        'or its allowedUses lack Workload';
      throw new Fault('refused', message, { reason: 'pool-closed' });
    }
    return pool;
  }

  #refuseForeignBlock({ cidr, block }: CachedBlock, address: Address): void {
    const { blocks, catalog } = this.#deps;
    if (!catalog.config.value.strictAffinity || blocks.isOwn(block)) return;
    const message =
      `${address} is in block ${cidr} of ${block.affinity ?? 'nobody'} and strict affinity is on; ` +
      "use an address of this host's blocks";
    throw new Fault('refused', message, { reason: 'strict-affinity' });
  }

  async #fetchAgain(cidr: Cidr, options: CallOptions): Promise<CachedBlock> {
    this.#deps.blocks.forget(cidr);
    return this.#deps.blocks.fetch(cidr, options);
  }

  /** Throws `exists` when the holder stays. */
  async #replacementFor(holder: BlockAttribute, request: ExplicitRequest): Promise<Replacement> {
    const { host, endpoints } = this.#deps;
    const { address } = request;
    // Networks on one pool name the same gateway, on this host and on others.
    if (request.holder === 'pool' && isPoolHandle(holder.handle)) return { type: 'shared' };
    const mine = isOurs(holder, host) && !isPoolHandle(holder.handle);
    if (request.holder === 'pool' || !mine) throw taken(address, describeHolder(holder));
    const endpoint = endpoints.holding(address);
    if (endpoint === undefined) {
      if (this.#isAbandoned(address, holder)) return { type: 'claim', holder };
      throw taken(address, describeHolder(holder));
    }
    if (!(await endpoint.isLive(request.signal))) return { type: 'endpoint', endpoint, holder };
    throw taken(address, `${endpoint.description}, ${describeHolder(holder)}`);
  }

  #isAbandoned(address: Address, holder: BlockAttribute): boolean {
    const { leases, clock } = this.#deps;
    const claimed =
      leases.get(address)?.claimedAtMs ?? Date.parse(holder.secondary['timestamp'] ?? '');
    return Number.isNaN(claimed) || clock.now() - claimed > ABANDONED_MS;
  }

  async #work(request: ExplicitRequest, replacement: Replacement): Promise<BlockWork> {
    const { catalog, handles: book } = this.#deps;
    const { address, attribute, handle } = request;
    const replaced =
      replacement.type === 'claim' || replacement.type === 'endpoint'
        ? replacement.holder
        : undefined;
    if (replaced?.handle !== undefined) await book.load(replaced.handle, request);
    const also = replacement.type === 'endpoint' ? await replacement.endpoint.evict() : undefined;
    return {
      type: 'claim',
      handle,
      ...(also === undefined ? {} : { also }),
      apply: (edit, record, handles) => {
        refuseDrained(catalog, handle);
        openPoolOf(catalog, record.cidr);
        const now = edit.holderOf(address);
        if (now !== undefined && now.text === replaced?.text) {
          edit.release(address);
          if (now.handle !== undefined) handles.add(now.handle, record.cidr, -1);
        }
        const holder = edit.claim(address, attribute);
        if (holder !== undefined) throw taken(address, describeHolder(holder));
        return address;
      },
      happened: (stored) =>
        holderOf(stored, address)?.text === attribute.text ? address : undefined,
    };
  }
}

function taken(address: Address, holder: string): Fault {
  const message =
    `${address} is taken by ${holder}; choose another address, or remove that one first ` +
    `("calicoctl ipam show --ip=${address}")`;
  return new Fault('exists', message, { reason: 'address-taken' });
}
