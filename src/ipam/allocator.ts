import { randomBytes } from 'node:crypto';
import { abortFault, Fault } from '../base/index.js';
import type { CallOptions } from '../datastore/index.js';
import { Cidr, heldAddresses, type Address } from '../model/index.js';
import type { AddressRequest, AllocatorOptions, LiveClaim } from './allocator-options.js';
import { Assigner } from './assign.js';
import { ExplicitAssigner } from './assign-explicit.js';
import { BlockCache } from './block-cache.js';
import { claimAgain, type ClaimOutcome } from './claim-again.js';
import { ClaimQueue } from './claim-queue.js';
import { passGate } from './gate.js';
import { giveBack } from './give-back.js';
import { HandleBook } from './handle-book.js';
import { Leases, type Lease } from './leases.js';
import { endpointHandle, ownedAttribute, poolHandle } from './owner.js';
import { candidatePools, refuseDrained, requireNode } from './pools.js';
import {
  listOwnAddresses,
  storedOwner,
  type AddressLease,
  type OwnAddress,
} from './own-addresses.js';
import { listPoolAddresses, type PoolAddresses } from './pool-addresses.js';
import type { ForgottenRelease } from './ports.js';
import { TunnelAddresses } from './tunnel-addresses.js';
import { Releaser, type ReleaseOptions, type ReleaseOutcome } from './release.js';

/** Addresses from pools: one commit per claim and per release, none read in the steady state. */
export class Allocator {
  readonly #options: AllocatorOptions;
  readonly #blocks: BlockCache;
  readonly #handles: HandleBook;
  readonly #leases = new Leases();
  readonly #assigner: Assigner;
  readonly #explicit: ExplicitAssigner;
  readonly #releaser: Releaser;
  readonly #shared: {
    readonly blocks: BlockCache;
    readonly handles: HandleBook;
    readonly queue: ClaimQueue;
  };
  /** This node's addresses on tunnels to other hosts. */
  readonly tunnels: TunnelAddresses;

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
    this.#shared = { blocks, handles, queue };
    const isBound = (address: Address): boolean => endpoints.isBound(address);
    this.#assigner = new Assigner({ store, node, catalog, blocks, queue, clock, isBound });
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
    const shared = { store, host, catalog, endpoints, clock, log, ...this.#shared };
    this.#releaser = new Releaser(shared);
    const { gate } = options;
    this.tunnels = new TunnelAddresses({ ...shared, node, gate, assigner: this.#assigner });
  }

  /** Reads this host's blocks, so that the first start needs no reads. */
  async load(options: CallOptions): Promise<void> {
    await this.#blocks.loadOwn(4, options);
    await this.#blocks.loadOwn(6, options);
  }

  /** Addresses in use on this host, one outcome for each, in order. Not held up by the gate: they are in use anyway. */
  claimAgain(
    claims: readonly LiveClaim[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly ClaimOutcome[]> {
    const parts = { ...this.#options, ...this.#shared, releaser: this.#releaser };
    const live = claims.map((one) => ({ ...one, handle: one.handle ?? this.#newHandle() }));
    return claimAgain(parts, live, options);
  }

  async request(request: AddressRequest): Promise<Address> {
    await passGate(this.#options.gate, request.signal);
    requireNode(this.#options.catalog);
    const sibling =
      request.holder === 'endpoint'
        ? this.#leases.siblingOf(request.mac, request.family, this.#options.clock.now())
        : undefined;
    try {
      return await this.#requestWith(request, sibling);
    } catch (error) {
      if (sibling !== undefined) await this.#releaseSibling(sibling);
      throw error;
    }
  }

  async #requestWith(request: AddressRequest, sibling: Lease | undefined): Promise<Address> {
    const known = request.address && this.#leases.unboundOf(request.address, request.mac);
    if (known !== undefined) return known.address;
    const { host, clock } = this.#options;
    const handle = await this.#handleFor(request, sibling);
    refuseDrained(this.#options.catalog, handle);
    const attribute = ownedAttribute(host, handle, request.mac, clock.now());
    const address =
      request.address === undefined
        ? await this.#assigner.assign({
            choosePools: () =>
              candidatePools(this.#options.catalog, request.poolId, request.family),
            range: request.poolId.range,
            attribute,
            handle,
            signal: request.signal,
          })
        : await this.#explicit.assign({ ...request, address: request.address, attribute, handle });
    if (request.signal.aborted) {
      await this.#giveBack({ address, poolId: request.poolId.text, handle });
      throw abortFault(request.signal, 'the request for an address');
    }
    if (request.holder === 'endpoint') {
      const { mac, poolId } = request;
      const claimedAtMs = clock.now();
      this.#leases.add({ address, handle, mac, poolId: poolId.text, claimedAtMs });
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
    return this.#newHandle();
  }

  #newHandle(): string {
    const random = this.#options.random ?? (() => randomBytes(16));
    return endpointHandle(this.#options.host.node, random().toString('hex'));
  }

  /** Docker releases nothing when the second family fails (plugin protocol §0.13). */
  async #releaseSibling({ address, poolId, handle }: Lease): Promise<void> {
    await this.#giveBack({ address, poolId, handle });
    this.#leases.remove(address);
  }

  #giveBack(release: ForgottenRelease): Promise<void> {
    return giveBack(this.#releaser, this.#options, release);
  }

  async release(
    address: Address,
    poolId: string | undefined,
    options: ReleaseOptions,
  ): Promise<ReleaseOutcome> {
    const decision = this.#options.gate.mayAllocate();
    if (!decision.ok) throw new Fault('refused', decision.message, { reason: decision.reason });
    const outcome = await this.#releaser.release(address, poolId, options);
    if (outcome !== 'live-endpoint') this.#leases.remove(address);
    return outcome;
  }

  releasePool(poolId: string, options: { readonly signal: AbortSignal }): Promise<void> {
    return this.#releaser.releasePool(poolId, options);
  }

  /** Who holds an address for a container of this host: from memory, after a restart from the store. */
  async leaseOf(address: Address, signal?: AbortSignal): Promise<AddressLease | undefined> {
    const options = signal === undefined ? {} : { signal };
    const owner =
      this.#leases.get(address) ??
      (await storedOwner(address, this.#options.host, (of) => this.#releaser.blockOf(of, options)));
    if (owner === undefined) return undefined;
    const { handle, mac } = owner;
    await this.#handles.load(handle, options);
    // The handle may have lost this address and kept the other family's.
    const holds = [...this.#handles.blocksOf(handle).keys()].some((cidr) =>
      Cidr.parse(cidr).contains(address),
    );
    if (!holds) return undefined;
    const handleRevision = this.#handles.revisionOf(handle);
    return { address, handle, handleRevision, handleValue: this.#handles.valueOf(handle), mac };
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

  /** Gateway and auxiliary addresses of this very host, of pool requests that are not among these. */
  poolAddresses(inUse: ReadonlySet<string>, options: CallOptions): Promise<PoolAddresses[]> {
    const { store, host } = this.#options;
    const parts = { store, host, blocks: this.#blocks, handles: this.#handles };
    return listPoolAddresses(parts, inUse, options);
  }

  get counts(): { readonly leases: number; readonly blocks: number } {
    return { leases: this.#leases.size, blocks: this.#blocks.all.length };
  }
}
