import { Fault, isFault, type Clock, type Log } from '../base/index.js';
import {
  commitOrConflict,
  resourceKey,
  retryOnConflict,
  type CallOptions,
  type Store,
} from '../datastore/index.js';
import {
  Address,
  Cidr,
  heldAddresses,
  holderOf,
  poolOf,
  tunnelKinds,
  tunnels,
  type BlockAttribute,
  type IpPool,
  type TunnelKind,
} from '../model/index.js';
import { blockAttribute, coolingAttribute, updateNode } from '../model/v3/index.js';
import type { Assigner } from './assign.js';
import type { BlockCache } from './block-cache.js';
import type { Catalog, Versioned } from './catalog.js';
import type { ClaimQueue } from './claim-queue.js';
import { passGate } from './gate.js';
import type { HandleBook } from './handle-book.js';
import { requireNode } from './pools.js';
import type { AllocationGate } from './ports.js';
import { admitsTunnel, decideTunnel, tunnelOwner, type TunnelOwner } from './tunnel-decision.js';
import { takeBackTunnel } from './tunnel-take-back.js';

export interface TunnelAddressParts {
  readonly store: Store;
  readonly node: string;
  readonly catalog: Catalog;
  readonly gate: AllocationGate;
  readonly blocks: BlockCache;
  readonly handles: HandleBook;
  readonly queue: ClaimQueue;
  readonly assigner: Assigner;
  readonly clock: Clock;
  readonly log: Log;
}

const ATTEMPTS = 10;

/**
 * This node's addresses on its tunnels: taken from the pools that ask for the tunnel, written to the Node, given back
 * when no pool asks any more. An address carries Calico's handle and attributes and not this host's UUID, so nothing
 * that looks for leftovers of containers ever frees it.
 */
export class TunnelAddresses {
  readonly #parts: TunnelAddressParts;
  /** Tunnels whose handle was looked at in this life: without pools it need not be read again. */
  readonly #looked = new Set<TunnelKind>();

  constructor(parts: TunnelAddressParts) {
    this.#parts = parts;
  }

  /** Makes all of them as they have to be; every tunnel is tried. Writes nothing when all is well. */
  async reconcile(signal: AbortSignal): Promise<void> {
    await passGate(this.#parts.gate, signal);
    const failures: unknown[] = [];
    for (const kind of tunnelKinds) {
      try {
        await this.#reconcileOne(kind, { signal });
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Takes back the addresses that the devices have, where the datastore knows none for this node. Nothing else is claimed,
   * so it waits for nobody: they are in use.
   */
  async takeBack(
    devices: ReadonlyMap<TunnelKind, Address>,
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { catalog, node: name } = this.#parts;
    for (const [kind, address] of devices) {
      const node = requireNode(catalog);
      const owner = tunnelOwner(kind, name);
      if (node[tunnels[kind].member] !== undefined) continue;
      if ((await this.#heldBy(owner, options)).length > 0) continue;
      const pools = catalog.pools.map(({ value }) => value);
      const admitted = pools.filter((pool) => admitsTunnel(kind, pool, node));
      const back = await takeBackTunnel(this.#parts, owner, { address, pools: admitted }, options);
      if (back) await this.#write(kind, address, options);
    }
  }

  async #reconcileOne(kind: TunnelKind, options: { readonly signal: AbortSignal }): Promise<void> {
    const { catalog, node: name } = this.#parts;
    const node = requireNode(catalog);
    const choosePools = (): readonly Versioned<IpPool>[] =>
      catalog.pools.filter(({ value }) => admitsTunnel(kind, value, requireNode(catalog)));
    const pools = choosePools().map(({ value }) => value);
    const text = node[tunnels[kind].member];
    const stored = text === undefined ? undefined : Address.tryParse(text);
    if (pools.length === 0 && text === undefined && this.#looked.has(kind)) return;
    const owner = tunnelOwner(kind, name);
    const held = await this.#heldBy(owner, options);
    const holder = stored === undefined ? undefined : await this.#holderOf(stored, options);
    const decision = decideTunnel({ owner, pools, stored, holder, held });
    this.#looked.add(kind);
    switch (decision.action) {
      case 'keep':
        return;
      case 'clear':
        await this.#write(kind, undefined, options);
        if (decision.release) await this.#release(owner, held, options);
        return;
      case 'adopt':
        await this.#write(kind, decision.address, options);
        return;
      case 'assign':
        if (decision.release) await this.#release(owner, held, options);
        await this.#assign(kind, owner, choosePools, options);
    }
  }

  async #assign(
    kind: TunnelKind,
    owner: TunnelOwner,
    choosePools: () => readonly Versioned<IpPool>[],
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { assigner, log } = this.#parts;
    const { handle, secondary } = owner;
    const attribute = blockAttribute(handle, secondary);
    const address = await assigner.assign({
      ...{ choosePools, range: undefined, attribute, handle, signal: options.signal },
    });
    try {
      await this.#write(kind, address, options);
    } catch (error) {
      // Not written is not known to anybody: the next try takes another one.
      if (!isFault(error, 'outcome-unknown')) await this.#release(owner, [address], options);
      throw error;
    }
    log.info({ device: tunnels[kind].device, address: String(address) }, 'tunnel address taken');
  }

  /** Addresses that the handle holds, as stored now. */
  async #heldBy({ handle }: TunnelOwner, options: CallOptions): Promise<readonly Address[]> {
    const { handles } = this.#parts;
    handles.written(handle, new Map(), 0n);
    await handles.load(handle, options);
    const held: Address[] = [];
    for (const text of handles.blocksOf(handle).keys()) {
      const record = await this.#current(Cidr.parse(text), options);
      for (const { address, holder } of heldAddresses(record.block)) {
        if (holder.handle === handle) held.push(address);
      }
    }
    return held;
  }

  async #holderOf(address: Address, options: CallOptions): Promise<BlockAttribute | undefined> {
    const { catalog } = this.#parts;
    const pools = catalog.pools.map(({ value }) => value);
    const pool = poolOf(pools, address);
    if (pool === undefined) return undefined;
    const record = await this.#current(Cidr.of(address, pool.blockSize), options);
    return holderOf(record.block, address);
  }

  /** The block as stored now: another program may have changed it since it was read. */
  async #current(cidr: Cidr, options: CallOptions): ReturnType<BlockCache['fetch']> {
    const { blocks, store } = this.#parts;
    const known = blocks.get(cidr) !== undefined;
    const [found] = await blocks.survey([cidr], options);
    if (found === undefined) {
      throw new Fault('corrupt', `block ${cidr} cannot be read`, { reason: 'corrupt-object' });
    }
    if (known) blocks.absorb(cidr, await store.getMany(blocks.keysOf(cidr), options), 'read');
    return found;
  }

  async #release(
    { handle }: TunnelOwner,
    addresses: readonly Address[],
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { blocks, queue, handles, catalog, clock } = this.#parts;
    for (const address of addresses) {
      const text = [...handles.blocksOf(handle).keys()].find((each) =>
        Cidr.parse(each).contains(address),
      );
      if (text === undefined) continue;
      const { cidr } = await blocks.fetch(Cidr.parse(text), options);
      const cooling =
        catalog.config.value.ipCooldownSeconds > 0 ? coolingAttribute(clock.now()) : undefined;
      await queue.submit(
        cidr,
        {
          type: 'release',
          handle,
          apply: (edit) => {
            if (edit.holderOf(address)?.handle !== handle) return undefined;
            edit.release(address, cooling);
            return address;
          },
          happened: (block) => (holderOf(block, address)?.handle === handle ? undefined : address),
        },
        options.signal,
      );
    }
  }

  /** Writes the member of the Node, and nothing else of it. */
  async #write(
    kind: TunnelKind,
    address: Address | undefined,
    options: CallOptions,
  ): Promise<void> {
    const { store, catalog, node } = this.#parts;
    const key = resourceKey('nodes', node);
    const { member } = tunnels[kind];
    await retryOnConflict(ATTEMPTS, async () => {
      const entry = await store.get(key, options);
      if (entry === undefined) {
        throw new Fault('refused', `the datastore has no Node ${node}`, { reason: 'node-missing' });
      }
      const value = updateNode(entry.value, {
        [member]: address === undefined ? null : String(address),
      });
      if (value === entry.value) return;
      const transaction = {
        compares: [{ key, revision: entry.revision }],
        writes: [{ key, value }],
      };
      const revision = await commitOrConflict(store, transaction, `Node ${node}`, options);
      catalog.onChange(key, { key, value, revision });
    });
  }
}
