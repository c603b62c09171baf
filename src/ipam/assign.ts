import { abortFault, Fault, isFault } from '../base/index.js';
import {
  usedOf,
  type Address,
  type Block,
  type BlockAttribute,
  type Cidr,
  type IpPool,
} from '../model/index.js';
import type { CachedBlock } from './block-cache.js';
import { BLOCK_FULL, BLOCK_LOST, lost, openPoolOf, type BlockWork } from './block-write.js';
import type { Versioned } from './catalog.js';
import type { ClaimQueue } from './claim-queue.js';
import { findBlock, type FindBlockParts } from './find-block.js';
import { refuseDrained, reservedIn } from './pools.js';

/** A whole pool is not read more often than this, in vain. */
const FULL_MS = 2_000;
/** Each round sees a change that somebody else made; more than this is a defect. */
const MAX_ROUNDS = 200;
/** Calico's default of blocks per host and family when the configuration says 0 (datamodel §2.1). */
const DEFAULT_MAX_BLOCKS = 20;
export interface AssignRequest {
  /** The pools that may serve, in order, as they are now; throws when none does any more. */
  readonly choosePools: () => readonly Versioned<IpPool>[];
  /** `--ip-range`: only addresses inside. */
  readonly range: Cidr | undefined;
  readonly attribute: BlockAttribute;
  readonly handle: string;
  readonly signal: AbortSignal;
}

/** One round: with the pools as they were at its beginning. */
interface PoolsRequest extends AssignRequest {
  readonly pools: readonly Versioned<IpPool>[];
}

export interface AssignDependencies extends FindBlockParts {
  readonly queue: ClaimQueue;
}

/** Why a block gave no address, from a closed list. */
type Passed = typeof BLOCK_FULL | typeof BLOCK_LOST;

/**
 * Automatic assignment as Calico does it (datamodel §2.7): own blocks, else a new block, else an empty
 * block of another host, else a free address in a foreign block (borrowing, unless affinity is strict).
 */
export class Assigner {
  readonly #deps: AssignDependencies;
  /** One search for a new block at a time: those who wait use what it found. */
  #searching: Promise<unknown> = Promise.resolve();
  /** Pools that were searched in vain, and until when that is believed: a full pool must not be read on each start. */
  readonly #foundFull = new Map<string, number>();

  constructor(dependencies: AssignDependencies) {
    this.#deps = dependencies;
  }

  async assign(given: AssignRequest): Promise<Address> {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      if (given.signal.aborted) throw abortFault(given.signal, 'the search for an address');
      const request = { ...given, pools: given.choosePools() };
      const own = await this.#fromOwn(request);
      if (own !== undefined) return own;
      const search = this.#searching.then(() => this.#extend(request));
      this.#searching = search.catch(() => undefined);
      const found = await search;
      if (found !== 'try-again') return found;
    }
    throw new Fault(
      'conflict',
      'pools and blocks changed too often while an address was looked for; try again',
      {
        reason: 'too-many-rounds',
      },
    );
  }

  async #fromOwn(request: PoolsRequest): Promise<Address | undefined> {
    for (const pool of request.pools) {
      for (const record of this.#deps.blocks.own(pool.value.cidr.family)) {
        if (!this.#mayServe(record, pool.value, request)) continue;
        const address = await this.#claim(record.cidr, request, true);
        if (typeof address !== 'string') return address;
      }
    }
    return undefined;
  }

  #mayServe(record: CachedBlock, pool: IpPool, request: PoolsRequest): boolean {
    if (!pool.cidr.containsCidr(record.cidr) || record.block.unallocated.length === 0) return false;
    return request.range === undefined || request.range.overlaps(record.cidr);
  }

  /** An address, or why this block had none. */
  async #claim(cidr: Cidr, request: PoolsRequest, own: boolean): Promise<Address | Passed> {
    try {
      const address = await this.#deps.queue.submit(cidr, this.#work(request, own), request.signal);
      return address ?? BLOCK_FULL;
    } catch (error) {
      if (isFault(error) && (error.reason === BLOCK_FULL || error.reason === BLOCK_LOST))
        return error.reason as Passed;
      throw error;
    }
  }

  #work(request: PoolsRequest, own: boolean): BlockWork {
    const { blocks, catalog, isBound } = this.#deps;
    return {
      type: 'claim',
      handle: request.handle,
      apply: (edit, record) => {
        refuseDrained(catalog, request.handle);
        openPoolOf(catalog, record.cidr);
        if (own && !blocks.isOwn(record.block)) throw lost(record.cidr);
        if (!own && catalog.config.value.strictAffinity) throw lost(record.cidr);
        const reserved = reservedIn(catalog);
        const usable = (address: Address): boolean =>
          !reserved(address) &&
          !isBound(address) &&
          (request.range === undefined || request.range.contains(address));
        const address = edit.claimNext(request.attribute, usable);
        if (address === undefined)
          throw new Fault('exhausted', `block ${record.cidr} is full`, { reason: BLOCK_FULL });
        return address;
      },
      happened: (stored) => addressOf(stored, request.attribute),
    };
  }

  /** Finds room outside the blocks in the cache; `try-again` when there is a new block to claim from. */
  async #extend(request: PoolsRequest): Promise<Address | 'try-again'> {
    const { blocks, catalog } = this.#deps;
    if (this.#hasRoom(request)) return 'try-again';
    const options = { signal: request.signal };
    for (const family of new Set(request.pools.map(({ value }) => value.cidr.family))) {
      await blocks.loadOwn(family, options);
    }
    if (this.#hasRoom(request)) return 'try-again';
    const config = catalog.config.value;
    const limit = config.maxBlocksPerHost > 0 ? config.maxBlocksPerHost : DEFAULT_MAX_BLOCKS;
    const owned = this.#ownedIn(request.pools);
    if (owned.length >= limit)
      throw this.#exhausted(request, owned, `this host has all ${limit} blocks it may have`, limit);
    if (!config.autoAllocateBlocks)
      throw this.#exhausted(request, owned, 'auto_allocate_blocks is off', limit);
    const search = `${request.pools.map(({ key }) => key).join(' ')} ${request.range ?? ''}`;
    if ((this.#foundFull.get(search) ?? 0) > this.#deps.clock.monotonic()) {
      throw this.#exhausted(request, owned, 'no block is free', limit);
    }
    const survey = await findBlock(this.#deps, request, options);
    if (survey === 'found') return 'try-again';
    const borrowed = config.strictAffinity ? undefined : await this.#borrow(survey, request);
    if (borrowed !== undefined) return borrowed;
    this.#rememberFull(search);
    throw this.#exhausted(request, owned, 'no block is free', limit);
  }

  /** What is no longer believed goes: pools and ranges come and go, and their names with them. */
  #rememberFull(search: string): void {
    const now = this.#deps.clock.monotonic();
    for (const [other, until] of this.#foundFull) if (until <= now) this.#foundFull.delete(other);
    this.#foundFull.set(search, now + FULL_MS);
  }

  #hasRoom(request: PoolsRequest): boolean {
    const reserved = reservedIn(this.#deps.catalog);
    return this.#ownedIn(request.pools).some(({ block, cidr }) =>
      block.unallocated.some((ordinal) => {
        const address = cidr.addressAt(ordinal);
        if (reserved(address) || this.#deps.isBound(address)) return false;
        return request.range === undefined || request.range.contains(address);
      }),
    );
  }

  #ownedIn(pools: readonly Versioned<IpPool>[]): readonly CachedBlock[] {
    return pools.flatMap(({ value }) =>
      this.#deps.blocks.own(value.cidr.family).filter(({ cidr }) => value.cidr.containsCidr(cidr)),
    );
  }

  /** A free address in somebody else's block (datamodel §2.7). */
  async #borrow(seen: readonly CachedBlock[], request: PoolsRequest): Promise<Address | undefined> {
    const { blocks } = this.#deps;
    for (const record of seen) {
      // Blocks that nobody has are passed over for a reason: see `findBlock`.
      if (record.revision === 0n || record.block.unallocated.length === 0) continue;
      if (request.range !== undefined && !request.range.overlaps(record.cidr)) continue;
      blocks.put(record);
      const address = await this.#claim(record.cidr, request, false);
      if (typeof address !== 'string') return address;
      blocks.forget(record.cidr);
    }
    return undefined;
  }

  #exhausted(
    request: PoolsRequest,
    owned: readonly CachedBlock[],
    why: string,
    limit: number,
  ): Fault {
    const used = owned.reduce((sum, { block }) => sum + usedOf(block), 0);
    const total = owned.reduce((sum, { block }) => sum + block.allocations.length, 0);
    const names = request.pools.map(({ value }) => `${value.name} (${value.cidr})`).join(', ');
    const strict = this.#deps.catalog.config.value.strictAffinity ? 'on' : 'off';
    return new Fault(
      'exhausted',
      `no free address in pool ${names}${request.range === undefined ? '' : ` within ${request.range}`}: ${why}; ` +
        `this host uses ${used} of ${total} addresses in ${owned.length} blocks (limit ${limit}), strict affinity ${strict}; ` +
        'remove containers, add a pool with "calicoctl create -f POOL.yaml", or see "calicoctl ipam show --show-blocks"',
      { reason: 'pool-full' },
    );
  }
}

/** The address whose slot holds exactly this attribute. */
export function addressOf(block: Block, attribute: BlockAttribute): Address | undefined {
  const index = block.attributes.findIndex(({ text }) => text === attribute.text);
  const ordinal = index < 0 ? -1 : block.allocations.indexOf(index);
  return ordinal < 0 ? undefined : block.cidr.addressAt(ordinal);
}
