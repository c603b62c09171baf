import { Fault, isFault, type Log } from '../base/index.js';
import {
  commitOrConflict,
  networkRecordKey,
  networkRecordPrefix,
  retryOnConflict,
  type CallOptions,
  type Compare,
  type Entry,
  type Store,
  type Transaction,
} from '../datastore/index.js';
import { networkOf } from './new-network.js';
import {
  clusterIdOf,
  decodeNetwork,
  encodeNetwork,
  othersOf,
  type Network,
  type StoredNetwork,
} from './network-record.js';
import type { NetworkLedger } from './network-ledger.js';
import type { PoolRequests } from './ports.js';
import { type ProfileBook } from './profile-book.js';
import { commitOrSettle } from './settle.js';
import type { CreateNetworkBody } from './schema.js';
import { unusedProfile } from './unused-profile.js';

export interface NetworksOptions {
  readonly store: Store;
  readonly node: string;
  readonly pools: PoolRequests;
  readonly profiles: ProfileBook;
  readonly names: { readonly driver: string; readonly ipamDriver: string };
  /** Told how many networks this host has, after each change. */
  readonly onCount: (count: number) => void;
  readonly ledger: NetworkLedger;
  readonly log: Log;
}

/** Docker never repeats CreateNetwork, so networks live in the store under records of our own. */
export class Networks {
  readonly #options: NetworksOptions;
  readonly #known = new Map<string, StoredNetwork>();

  constructor(options: NetworksOptions) {
    this.#options = options;
  }

  /** Reads the networks of all hosts: their PoolIDs may come to any of them. */
  async load(options: CallOptions): Promise<void> {
    const { store, node, pools } = this.#options;
    const { entries } = await store.list(networkRecordPrefix, options);
    for (const { key, value, revision } of entries) {
      const network = this.#tryDecode(key, value);
      if (network === undefined) continue;
      pools.restore(network.poolIds);
      if (network.hosts[node] === undefined) continue;
      this.#learn({ network, revision, text: value });
    }
  }

  /** PoolIDs of the networks of all hosts as stored now; undefined when one of the records cannot be understood. */
  async poolIds(options: CallOptions): Promise<ReadonlySet<string> | undefined> {
    const { entries } = await this.#options.store.list(networkRecordPrefix, options);
    const networks = entries.map(({ key, value }) => this.#tryDecode(key, value));
    if (networks.includes(undefined)) return undefined;
    return new Set(networks.flatMap((network) => network?.poolIds ?? []));
  }

  #learn(stored: StoredNetwork): void {
    this.#known.set(stored.network.networkId, stored);
    this.#options.ledger.keep(stored);
  }

  /** A record that cannot be understood is left alone and said. */
  #tryDecode(key: string, value: string): Network | undefined {
    try {
      return decodeNetwork(key.slice(networkRecordPrefix.length), value, this.#options.node);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#options.log.error({ key, error: error.message }, 'network record ignored');
      return undefined;
    }
  }

  all(): readonly Network[] {
    return [...this.#known.values()].map(({ network }) => network);
  }

  /** Those that Docker made on this host, with the revision of their record. */
  own(): readonly StoredNetwork[] {
    const isOwn = ({ network: { hosts, networkId } }: StoredNetwork): boolean =>
      hosts[this.#options.node] === networkId;
    return [...this.#known.values()].filter(isOwn);
  }

  /** Undefined when neither this host nor the store knows it. */
  async find(networkId: string, options: CallOptions): Promise<Network | undefined> {
    const known = this.#known.get(networkId);
    if (known !== undefined) return known.network;
    const { store, node, pools } = this.#options;
    const entry = await store.get(networkRecordKey(clusterIdOf(networkId)), options);
    if (entry === undefined) return undefined;
    const network = decodeNetwork(clusterIdOf(networkId), entry.value, node, networkId);
    if (!Object.values(network.hosts).includes(networkId)) return undefined;
    this.#learn({ network, revision: entry.revision, text: entry.value });
    pools.restore(network.poolIds);
    return network;
  }

  /** As `find`, but an unknown network is a `not-found` fault. */
  async require(networkId: string, options: CallOptions): Promise<Network> {
    const network = await this.find(networkId, options);
    if (network !== undefined) return network;
    throw new Fault(
      'not-found',
      `network ${networkId.slice(0, 12)} is not known to calico: its record is gone from the datastore; remove the network and create it again`,
      { reason: 'unknown-network' },
    );
  }

  /** What a commit compares that may not come after the end of the network; `conflict` when that was a moment ago. */
  compares(networkId: string): readonly Compare[] {
    const known = this.#known.get(networkId);
    if (known === undefined)
      throw new Fault('conflict', `network ${networkId.slice(0, 12)} was deleted meanwhile`);
    return [{ key: networkRecordKey(known.network.clusterId), revision: known.revision }];
  }

  /** What a failed commit with `compares` read: the record was changed, or is gone and then not known any more. */
  absorb(networkId: string, current: ReadonlyMap<string, Entry | undefined>): void {
    const key = networkRecordKey(clusterIdOf(networkId));
    const known = this.#known.get(networkId);
    if (known === undefined || !current.has(key)) return;
    const entry = current.get(key);
    if (entry?.revision !== known.revision) this.#known.delete(networkId);
  }

  async create(body: CreateNetworkBody, options: CallOptions): Promise<void> {
    const existing = await this.find(body.NetworkID, options);
    if (existing !== undefined) {
      await this.#joinHost(existing, options);
      return;
    }
    const network = networkOf(body, this.#options);
    const text = encodeNetwork(network);
    const key = networkRecordKey(network.clusterId);
    const transaction: Transaction = {
      compares: [{ key, revision: 0n }],
      writes: [{ key, value: text }],
    };
    const { store } = this.#options;
    const result = await commitOrSettle(
      store,
      (part) => store.commit(part, options),
      transaction,
      key,
    );
    if (!result.committed) {
      throw new Fault(
        'exists',
        `another network has the record ${network.clusterId}; remove it first`,
        {
          reason: 'network-exists',
        },
      );
    }
    this.#learn({ network, revision: result.revision, text });
    this.#options.onCount(this.#known.size);
  }

  /** Engines that share a NetworkID create the network on each host: the record then outlives each of them. */
  async #joinHost({ networkId, hosts }: Network, options: CallOptions): Promise<void> {
    const { node } = this.#options;
    if (hosts[node] !== undefined) return;
    await this.#rewrite(networkId, options, (network) => ({
      ...network,
      hosts: { ...network.hosts, [node]: networkId },
    }));
  }

  nameOf(networkId: string): string | undefined {
    return this.#known.get(networkId)?.network.name || undefined;
  }

  /** The inventory learnt the name: one background commit. */
  async rename(networkId: string, name: string, options: CallOptions): Promise<void> {
    const known = this.#known.get(networkId);
    if (known === undefined || known.network.name === name) return;
    await this.#rewrite(networkId, options, (network) => ({ ...network, name }));
  }

  async #rewrite(
    networkId: string,
    options: CallOptions,
    change: (network: Network) => Network,
  ): Promise<void> {
    const { store, node } = this.#options;
    const key = networkRecordKey(clusterIdOf(networkId));
    await retryOnConflict(5, async () => {
      const entry = await store.get(key, options);
      if (entry === undefined) return;
      const network = change(decodeNetwork(clusterIdOf(networkId), entry.value, node, networkId));
      const text = encodeNetwork(network, entry.value);
      const transaction = {
        compares: [{ key, revision: entry.revision }],
        writes: [{ key, value: text }],
      };
      const revision = await commitOrConflict(store, transaction, 'the network record', options);
      if (this.#known.has(networkId)) this.#learn({ network, revision, text });
    });
  }

  /** Takes this host out of the record; record and untouched automatic profile go with the last one. */
  async delete(networkId: string, options: CallOptions): Promise<void> {
    const { store, node } = this.#options;
    const clusterId = clusterIdOf(networkId);
    const key = networkRecordKey(clusterId);
    await retryOnConflict(5, async () => {
      const entry = await store.get(key, options);
      if (entry === undefined) return;
      const network = decodeNetwork(clusterId, entry.value, node, networkId);
      // Another network whose id begins alike has the record.
      if (!Object.values(network.hosts).includes(networkId)) return;
      const others = othersOf(network, node);
      const last = Object.keys(others).length === 0;
      const profile = last
        ? await unusedProfile(
            {
              store,
              profiles: this.#options.profiles,
              tryDecode: (key, value) => this.#tryDecode(key, value),
            },
            network,
            options,
          )
        : { compares: [], writes: [] };
      const value = last ? null : encodeNetwork({ ...network, hosts: others }, entry.value);
      const transaction = {
        compares: [{ key, revision: entry.revision }, ...profile.compares],
        writes: [{ key, value }, ...profile.writes],
      };
      await commitOrConflict(store, transaction, 'the network record', options);
    });
    this.#known.delete(networkId);
    this.#options.ledger.drop(networkId);
    this.#options.onCount(this.#known.size);
  }
}
