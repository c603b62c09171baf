import { Fault, type Log } from '../base/index.js';
import {
  commitOrConflict,
  networkRecordKey,
  networkRecordPrefix,
  retryOnConflict,
  type CallOptions,
  type Store,
  type Transaction,
} from '../datastore/index.js';
import { Cidr, profileName } from '../model/index.js';
import {
  clusterIdOf,
  decodeNetwork,
  encodeNetwork,
  type Network,
  type StoredNetwork,
} from './network-record.js';
import { readNetworkOptions } from './options.js';
import type { PoolRequests } from './ports.js';
import { automaticProfile, type ProfileBook } from './profile-book.js';
import { commitOrSettle } from './settle.js';
import type { CreateNetworkBody, IpamData } from './schema.js';

export interface NetworksOptions {
  readonly store: Store;
  readonly node: string;
  readonly pools: PoolRequests;
  readonly profiles: ProfileBook;
  readonly names: { readonly driver: string; readonly ipamDriver: string };
  /** Told how many networks this host has, after each change. */
  readonly onCount: (count: number) => void;
  readonly log: Log;
}

/** Docker never repeats CreateNetwork, so networks live in the store under records of our own. */
export class Networks {
  readonly #options: NetworksOptions;
  readonly #known = new Map<string, StoredNetwork>();

  constructor(options: NetworksOptions) {
    this.#options = options;
  }

  /** Reads every network of this host. */
  async load(options: CallOptions): Promise<void> {
    const { store, node, pools, log } = this.#options;
    const { entries } = await store.list(networkRecordPrefix, options);
    for (const { key, value, revision } of entries) {
      try {
        const network = decodeNetwork(key.slice(networkRecordPrefix.length), value, node);
        if (network.hosts[node] === undefined) continue;
        this.#known.set(network.networkId, { network, revision, text: value });
        pools.restore(network.poolIds, poolsOf(network));
      } catch (error) {
        log.error({ key, err: error }, 'network record ignored');
      }
    }
  }

  all(): readonly Network[] {
    return [...this.#known.values()].map(({ network }) => network);
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
    this.#known.set(networkId, { network, revision: entry.revision, text: entry.value });
    pools.restore(network.poolIds, poolsOf(network));
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

  async create(body: CreateNetworkBody, options: CallOptions): Promise<void> {
    if ((await this.find(body.NetworkID, options)) !== undefined) return;
    const network = this.#networkOf(body);
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
    const { revision } = result;
    this.#known.set(network.networkId, { network, revision, text });
    this.#options.onCount(this.#known.size);
  }

  #networkOf(body: CreateNetworkBody): Network {
    const { node, names, pools } = this.#options;
    const data = [...(body.IPv4Data ?? []), ...(body.IPv6Data ?? [])];
    for (const { AddressSpace: space } of data) {
      if (space !== 'CalicoLocalAddressSpace' && space !== 'CalicoGlobalAddressSpace')
        throw otherIpam(names, space);
    }
    const { internal, generic } = readNetworkOptions(body.Options ?? {});
    const asked = data.flatMap(({ Pool: pool }) =>
      pool === undefined || pool === null ? [] : [{ pool }],
    );
    const poolIds = pools.adopt(asked);
    const ipv6Automatic = poolIds.some((id) => id.startsWith('auto.v6'));
    const cidrs = asked.map(({ pool }) => Cidr.parse(pool));
    return {
      clusterId: clusterIdOf(body.NetworkID),
      networkId: body.NetworkID,
      name: '',
      internal,
      options: generic,
      subnets: cidrs.filter((cidr) => cidr.prefix > 0 && !(cidr.family === 6 && ipv6Automatic)),
      automatic: [
        ...(cidrs.some((cidr) => cidr.family === 4 && cidr.prefix === 0) ? [4 as const] : []),
        ...(ipv6Automatic ? [6 as const] : []),
      ],
      poolIds,
      hosts: { [node]: body.NetworkID },
    };
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
      if (this.#known.has(networkId)) this.#known.set(networkId, { network, revision, text });
    });
  }

  /** Takes this host out of the record, and removes record and untouched automatic profile with the last one. */
  async delete(networkId: string, options: CallOptions): Promise<void> {
    const { store, node } = this.#options;
    const clusterId = clusterIdOf(networkId);
    const key = networkRecordKey(clusterId);
    await retryOnConflict(5, async () => {
      const entry = await store.get(key, options);
      if (entry === undefined) return;
      const network = decodeNetwork(clusterId, entry.value, node, networkId);
      const { [node]: _own, ...others } = network.hosts;
      const last = Object.keys(others).length === 0;
      const profile = last
        ? await this.#unusedProfile(network, options)
        : { compares: [], writes: [] };
      const value = last ? null : encodeNetwork({ ...network, hosts: others }, entry.value);
      const transaction = {
        compares: [{ key, revision: entry.revision }, ...profile.compares],
        writes: [{ key, value }, ...profile.writes],
      };
      await commitOrConflict(store, transaction, 'the network record', options);
    });
    this.#known.delete(networkId);
    this.#options.onCount(this.#known.size);
  }

  /** The automatic profile goes with its network unless a user changed it or another network may use it. */
  async #unusedProfile(
    network: Network,
    options: CallOptions,
  ): Promise<Pick<Transaction, 'compares' | 'writes'>> {
    const { store, profiles, node } = this.#options;
    const nothing = { compares: [], writes: [] };
    if (network.name === '' || network.options['profile'] !== undefined) return nothing;
    const name = profileName(network.name);
    const others = (await store.list(networkRecordPrefix, options)).entries.filter(
      ({ key }) => key !== networkRecordKey(network.clusterId),
    );
    const shared = others.some(({ key, value }) => {
      const other = decodeNetwork(key.slice(networkRecordPrefix.length), value, node);
      return (
        other.name === '' || profileName(other.name) === name || other.options['profile'] === name
      );
    });
    if (shared) return nothing;
    const entry = await store.get(profiles.keyOf(name), options);
    if (
      entry === undefined ||
      !profiles.isUntouched(entry, automaticProfile(name, network.internal))
    )
      return nothing;
    profiles.forget(name);
    return {
      compares: [{ key: entry.key, revision: entry.revision }],
      writes: [{ key: entry.key, value: null }],
    };
  }
}

/** Subnets as Docker was answered, `0.0.0.0/0` for automatic ones. */
function poolsOf(network: Network): string[] {
  return [...network.subnets.map(String), ...(network.automatic.includes(4) ? ['0.0.0.0/0'] : [])];
}

function otherIpam(
  names: { readonly driver: string; readonly ipamDriver: string },
  space: IpamData['AddressSpace'],
): Fault {
  return new Fault(
    'invalid',
    `the ${names.driver} driver needs the ${names.ipamDriver} IPAM driver, the network has ${space === null || space === undefined || space === '' ? 'none' : `addresses of "${space.slice(0, 40)}"`}; ` +
      `use both: docker network create --driver ${names.driver} --ipam-driver ${names.ipamDriver} NAME`,
    { reason: 'other-ipam' },
  );
}
