import { randomBytes } from 'node:crypto';
import { Fault, toFault, type Clock, type Log } from '../base/index.js';
import { type CallOptions, type Store } from '../datastore/index.js';
import {
  Cidr,
  heldAddresses,
  holderOf,
  poolOf,
  type Address,
  type BlockAttribute,
  type Family,
  type IpPool,
} from '../model/index.js';
import { Assigner } from './assign.js';
import { BlockCache, type CachedBlock } from './block-cache.js';
import type { Catalog } from './catalog.js';
import { ClaimQueue, openPoolOf, type BlockWork } from './claim-queue.js';
import { HandleBook } from './handle-book.js';
import { Leases, type Lease } from './leases.js';
import {
  describeHolder,
  endpointHandle,
  isOurs,
  isPoolHandle,
  ownedAttribute,
  poolHandle,
  type Host,
} from './owner.js';
import type { PoolId } from './pool-id.js';
import { candidatePools, describePools, requireNode } from './pools.js';
import type { AllocationGate, BoundEndpoint, EndpointsByAddress } from './ports.js';
import { Releaser, type ReleaseOptions, type ReleaseOutcome } from './release.js';

export interface AddressRequest {
  readonly poolId: PoolId;
  readonly family: Family;
  /** `--ip`, `--gateway`, `--aux-address`; undefined for any address. */
  readonly address: Address | undefined;
  /** The endpoint's MAC, lower case; empty for gateway and auxiliary addresses. */
  readonly mac: string;
  readonly holder: 'endpoint' | 'pool';
  readonly signal: AbortSignal;
}

export interface AllocatorOptions {
  readonly store: Store;
  readonly host: Host;
  readonly catalog: Catalog;
  readonly gate: AllocationGate;
  readonly endpoints: EndpointsByAddress;
  readonly clock: Clock;
  readonly log: Log;
  /** A claim may have succeeded unseen: free what the handle holds later. */
  readonly onUnknownClaim: (handle: string, block: Cidr) => void;
  /** 16 random bytes; tests may pass their own. */
  readonly random?: () => Buffer;
}

/** What CreateEndpoint has to compare and put again. */
export interface AddressLease {
  readonly address: Address;
  readonly handle: string;
  readonly handleRevision: bigint;
  readonly handleValue: string;
  readonly mac: string;
}

export interface OwnAddress {
  readonly address: Address;
  readonly handle: string;
  readonly handleRevision: bigint;
  readonly hostUuid: string;
  /** Milliseconds since the epoch. */
  readonly claimedAt?: number;
}

/** An unbound address older than this belongs to a start that never came to an end. */
const ABANDONED_MS = 60_000;

/** Addresses from pools: one commit per claim and per release, none read in the steady state. */
export class Allocator {
  readonly #options: AllocatorOptions;
  readonly #blocks: BlockCache;
  readonly #handles: HandleBook;
  readonly #leases = new Leases();
  readonly #queue: ClaimQueue;
  readonly #assigner: Assigner;
  readonly #releaser: Releaser;

  constructor(options: AllocatorOptions) {
    const { store, host, catalog, clock, log, endpoints } = options;
    this.#options = options;
    const node = host.node;
    const blocks = new BlockCache({ store, node, clock, log });
    const handles = new HandleBook(store);
    const queue = new ClaimQueue({
      store,
      node,
      catalog,
      blocks,
      handles,
      clock,
      onUnknownClaim: options.onUnknownClaim,
    });
    this.#blocks = blocks;
    this.#handles = handles;
    this.#queue = queue;
    this.#assigner = new Assigner({ store, node, catalog, blocks, queue, clock });
    this.#releaser = new Releaser({
      store,
      host,
      catalog,
      blocks,
      handles,
      queue,
      endpoints,
      clock,
      log,
    });
  }

  /** Reads this host's blocks, so that the first start needs no reads. */
  async load(options: CallOptions): Promise<void> {
    await this.#blocks.loadOwn(4, options);
    await this.#blocks.loadOwn(6, options);
  }

  async request(request: AddressRequest): Promise<Address> {
    const decision = this.#options.gate.mayAllocate();
    if (!decision.ok) throw new Fault('refused', decision.message, { reason: decision.reason });
    requireNode(this.#options.catalog);
    const sibling =
      request.holder === 'endpoint'
        ? this.#leases.siblingOf(request.mac, request.family, this.#options.clock.now())
        : undefined;
    try {
      return await this.#requestWith(request, sibling);
    } catch (error) {
      if (sibling !== undefined) await this.#releaseSibling(sibling, request.signal);
      throw error;
    }
  }

  async #requestWith(request: AddressRequest, sibling: Lease | undefined): Promise<Address> {
    const known = request.address === undefined ? undefined : this.#leases.get(request.address);
    if (
      known !== undefined &&
      known.endpointId === undefined &&
      known.mac !== '' &&
      known.mac === request.mac
    ) {
      return known.address;
    }
    const { host, clock } = this.#options;
    const handle = await this.#handleFor(request, sibling);
    const attribute = ownedAttribute(host, handle, request.mac, clock.now());
    const address =
      request.address === undefined
        ? await this.#assigner.assign({
            pools: candidatePools(this.#options.catalog, request.poolId, request.family),
            range: request.poolId.range,
            attribute,
            handle,
            signal: request.signal,
          })
        : await this.#assignExplicit(request.address, request, attribute, handle);
    if (request.holder === 'endpoint') {
      const { mac, poolId } = request;
      this.#leases.add({
        address,
        handle,
        mac,
        poolId: poolId.text,
        claimedAtMs: clock.now(),
        endpointId: undefined,
      });
    }
    return address;
  }

  async #handleFor(request: AddressRequest, sibling: Lease | undefined): Promise<string> {
    if (request.holder === 'pool') {
      const handle = poolHandle(request.poolId.text);
      await this.#handles.load(handle, { signal: request.signal });
      return handle;
    }
    if (sibling !== undefined) return sibling.handle;
    const random = this.#options.random ?? (() => randomBytes(16));
    const handle = endpointHandle(this.#options.host.node, random().toString('hex'));
    this.#handles.introduce(handle);
    return handle;
  }

  /** Docker releases nothing when the second family fails (plugin protocol §0.13). */
  async #releaseSibling(sibling: Lease, signal: AbortSignal): Promise<void> {
    try {
      await this.release(sibling.address, sibling.poolId, { signal, onlyHandle: sibling.handle });
    } catch (error) {
      const { address, handle } = sibling;
      this.#options.log.warn(
        { address: address.toString(), handle, error: toFault(error).message },
        'address left over',
      );
    }
  }

  async #assignExplicit(
    address: Address,
    request: AddressRequest,
    attribute: BlockAttribute,
    handle: string,
  ): Promise<Address> {
    const { catalog } = this.#options;
    const pool = this.#poolForExplicit(address, request);
    const cidr = Cidr.of(address, pool.blockSize);
    let record = await this.#blocks.fetch(cidr, request);
    if (holderOf(record.block, address) !== undefined) record = await this.#refetch(cidr, request);
    const holder = holderOf(record.block, address);
    const takeOver =
      holder === undefined ? undefined : await this.#mayTakeOver(address, holder, request);
    if (takeOver === 'shared') return address;
    if (catalog.config.value.strictAffinity && !this.#blocks.isOwn(record.block)) {
      throw new Fault(
        'refused',
        `${address} is in block ${cidr} of ${record.block.affinity ?? 'nobody'} and strict affinity is on; use an address of this host's blocks`,
        {
          reason: 'strict-affinity',
        },
      );
    }
    this.#blocks.put(record);
    const work = await this.#explicitWork(address, attribute, handle, holder, takeOver);
    const claimed = await this.#queue.submit(cidr, work, request.signal);
    takeOver?.evicted();
    return claimed ?? address;
  }

  #poolForExplicit(address: Address, request: AddressRequest): IpPool {
    const { catalog } = this.#options;
    const pools = catalog.pools.map(({ value }) => value);
    const pool = poolOf(pools, address);
    const named = request.poolId.poolName;
    if (pool === undefined || (named !== undefined && pool.name !== named)) {
      throw new Fault(
        'invalid',
        `${address} is outside ${named === undefined ? 'every pool' : `pool ${named}`}; ${describePools(catalog.pools)}`,
        {
          reason: 'outside-pool',
        },
      );
    }
    if (pool.closed || !pool.allowedUses.includes('Workload')) {
      throw new Fault(
        'refused',
        `pool ${pool.name} (${pool.cidr}) takes no workloads: it is disabled, being deleted, or its allowedUses lack Workload`,
        {
          reason: 'pool-closed',
        },
      );
    }
    return pool;
  }

  async #refetch(cidr: Cidr, options: CallOptions): Promise<CachedBlock> {
    this.#blocks.forget(cidr);
    return this.#blocks.fetch(cidr, options);
  }

  /**
   * A taken address: `shared` for the gateway of networks on one pool; the dead endpoint of this host that
   * has it, to be replaced; undefined for a claim of this host that never became an endpoint. Throws `exists` otherwise.
   */
  async #mayTakeOver(
    address: Address,
    holder: BlockAttribute,
    request: AddressRequest,
  ): Promise<BoundEndpoint | 'shared' | undefined> {
    if (request.holder === 'pool' && isPoolHandle(holder.handle)) return 'shared';
    if (
      request.holder === 'endpoint' &&
      isOurs(holder, this.#options.host) &&
      !isPoolHandle(holder.handle)
    ) {
      const bound = this.#options.endpoints.holding(address);
      if (bound === undefined && this.#isAbandoned(address, holder)) return undefined;
      if (bound !== undefined && !(await bound.isLive(request.signal))) return bound;
      if (bound !== undefined)
        throw taken(address, `${bound.description}, ${describeHolder(holder)}`);
    }
    throw taken(address, describeHolder(holder));
  }

  #isAbandoned(address: Address, holder: BlockAttribute): boolean {
    const since =
      this.#leases.get(address)?.claimedAtMs ?? Date.parse(holder.secondary['timestamp'] ?? '');
    return Number.isNaN(since) || this.#options.clock.now() - since > ABANDONED_MS;
  }

  async #explicitWork(
    address: Address,
    attribute: BlockAttribute,
    handle: string,
    replaced: BlockAttribute | undefined,
    takeOver: BoundEndpoint | undefined,
  ): Promise<BlockWork> {
    const { catalog } = this.#options;
    if (replaced?.handle !== undefined) await this.#handles.load(replaced.handle, {});
    const also = await takeOver?.evict();
    return {
      type: 'claim',
      handle,
      ...(also === undefined ? {} : { also }),
      apply: (edit, record, handles) => {
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

  async release(
    address: Address,
    poolId: string | undefined,
    options: ReleaseOptions,
  ): Promise<ReleaseOutcome> {
    const decision = this.#options.gate.mayAllocate();
    if (!decision.ok) throw new Fault('refused', decision.message, { reason: decision.reason });
    const outcome = await this.#releaser.release(address, poolId, options);
    if (outcome === 'released' || outcome === 'already-free') this.#leases.remove(address);
    return outcome;
  }

  async releasePool(poolId: string, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#releaser.releasePool(poolId, options);
  }

  /** Who holds an address for a container of this host: from memory, after a restart from the store. */
  async leaseOf(address: Address, signal?: AbortSignal): Promise<AddressLease | undefined> {
    const options = signal === undefined ? {} : { signal };
    const owner = this.#leases.get(address) ?? (await this.#storedOwner(address, options));
    if (owner === undefined) return undefined;
    const { handle, mac } = owner;
    await this.#handles.load(handle, options);
    const handleRevision = this.#handles.revisionOf(handle);
    return { address, handle, handleRevision, handleValue: this.#handles.valueOf(handle), mac };
  }

  async #storedOwner(
    address: Address,
    options: CallOptions,
  ): Promise<{ readonly handle: string; readonly mac: string } | undefined> {
    const record = await this.#releaser.blockOf(address, options);
    const holder = record === undefined ? undefined : holderOf(record.block, address);
    if (holder?.handle === undefined || !isOurs(holder, this.#options.host)) return undefined;
    if (isPoolHandle(holder.handle)) return undefined;
    return { handle: holder.handle, mac: holder.secondary['mac'] ?? '' };
  }

  /** The handle that holds an address, as far as this process remembers. */
  handleOf(address: Address): string | undefined {
    return this.#leases.get(address)?.handle;
  }

  /** Frees whatever the handle holds in a block: the end of a claim whose outcome was never learnt. */
  async releaseHandle(handle: string, cidr: Cidr, options: ReleaseOptions): Promise<void> {
    const record = await this.#blocks.fetch(cidr, options);
    for (const { address, holder } of heldAddresses(record.block)) {
      if (holder.handle === handle)
        await this.release(address, undefined, { ...options, onlyHandle: handle });
    }
  }

  /** CreateEndpoint's commit re-put the handle: the collector's compare of the old revision now fails. */
  bound(address: Address, handle: string, endpointId: string, revision: bigint): void {
    this.#handles.written(handle, this.#handles.blocksOf(handle), revision);
    this.#leases.bind(address, endpointId);
  }

  /** A commit that compared the handle failed: it has to be read again. */
  async reloadHandle(handle: string, options: CallOptions): Promise<void> {
    this.#handles.written(handle, new Map(), 0n);
    await this.#handles.load(handle, options);
  }

  /** Addresses of this very host that containers have or had, with the handle's revision: for the look for leftovers. */
  async ownAddresses(options: CallOptions): Promise<readonly OwnAddress[]> {
    const own: OwnAddress[] = [];
    for (const { block } of this.#blocks.all) {
      for (const { address, holder } of heldAddresses(block)) {
        const { handle } = holder;
        if (handle === undefined || isPoolHandle(handle) || !isOurs(holder, this.#options.host))
          continue;
        await this.#handles.load(handle, options);
        const claimedAt = Date.parse(holder.secondary['timestamp'] ?? '');
        own.push({
          address,
          handle,
          handleRevision: this.#handles.revisionOf(handle),
          hostUuid: holder.secondary['host'] ?? '',
          ...(Number.isNaN(claimedAt) ? {} : { claimedAt }),
        });
      }
    }
    return own;
  }

  get counts(): { readonly leases: number; readonly blocks: number } {
    return { leases: this.#leases.size, blocks: this.#blocks.all.length };
  }
}

function taken(address: Address, holder: string): Fault {
  return new Fault(
    'exists',
    `${address} is taken by ${holder}; choose another address, or remove that one first ("calicoctl ipam show --ip=${address}")`,
    {
      reason: 'address-taken',
    },
  );
}
