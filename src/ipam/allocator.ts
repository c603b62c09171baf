import { randomBytes } from 'node:crypto';
import { Fault, toFault, type Clock, type Log } from '../base/index.js';
import { type CallOptions, type Store } from '../datastore/index.js';
import { heldAddresses, holderOf, type Address, type Cidr, type Family } from '../model/index.js';
import { Assigner } from './assign.js';
import { ExplicitAssigner } from './assign-explicit.js';
import { BlockCache } from './block-cache.js';
import type { Catalog } from './catalog.js';
import { ClaimQueue } from './claim-queue.js';
import { HandleBook } from './handle-book.js';
import { Leases, type Lease } from './leases.js';
import {
  endpointHandle,
  isOurs,
  isPoolHandle,
  ownedAttribute,
  poolHandle,
  type Host,
} from './owner.js';
import type { PoolId } from './pool-id.js';
import { candidatePools, requireNode } from './pools.js';
import { listOwnAddresses, type AddressLease, type OwnAddress } from './own-addresses.js';
import type { AllocationGate, EndpointsByAddress } from './ports.js';
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

/** Addresses from pools: one commit per claim and per release, none read in the steady state. */
export class Allocator {
  readonly #options: AllocatorOptions;
  readonly #blocks: BlockCache;
  readonly #handles: HandleBook;
  readonly #leases = new Leases();
  readonly #assigner: Assigner;
  readonly #explicit: ExplicitAssigner;
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
    this.#assigner = new Assigner({ store, node, catalog, blocks, queue, clock });
    const leases = this.#leases;
    this.#explicit = new ExplicitAssigner({
      host,
      catalog,
      blocks,
      handles,
      leases,
      queue,
      endpoints,
      clock,
    });
    const shared = { store, host, catalog, blocks, handles, queue, endpoints, clock, log };
    this.#releaser = new Releaser(shared);
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
        : await this.#explicit.assign({ ...request, address: request.address, attribute, handle });
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

  /** Addresses of this very host that containers have or had: for the look for leftovers. */
  ownAddresses(options: CallOptions): Promise<readonly OwnAddress[]> {
    return listOwnAddresses(this.#blocks.all, this.#handles, this.#options.host, options);
  }

  get counts(): { readonly leases: number; readonly blocks: number } {
    return { leases: this.#leases.size, blocks: this.#blocks.all.length };
  }
}
