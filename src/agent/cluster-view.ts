import { hash } from 'node:crypto';
import { messageOf, type Log } from '../base/index.js';
import {
  allAffinitiesPrefix,
  resourcePrefix,
  type Entry,
  type SyncListener,
} from '../datastore/index.js';
import {
  Cidr,
  type FelixConfiguration,
  type HostEndpoint,
  type IpPool,
  type NetworkPolicy,
  type NetworkSet,
  type Node,
  type Profile,
  type Tier,
  type WorkloadEndpoint,
} from '../model/index.js';
import {
  decodeAffinity,
  decodeFelixConfiguration,
  decodeHostEndpoint,
  decodeIpPool,
  decodeNetworkPolicy,
  decodeNetworkSet,
  decodeNode,
  decodeProfile,
  decodeTier,
  decodeWorkloadEndpoint,
} from '../model/v3/index.js';

/** What the agent does with the cluster's objects; `undefined`: it went, or cannot be understood. */
export interface ClusterListener {
  onProfile(name: string, profile: Profile | undefined): void;
  /** `key` is the stored key: endpoints of all nodes and namespaces. */
  onEndpoint(key: string, endpoint: WorkloadEndpoint | undefined, revision: bigint): void;
  /** `id`: `name`, or `namespace/name`, as in the stored key. */
  onPolicy(id: string, policy: NetworkPolicy | undefined): void;
  onTier(name: string, tier: Tier | undefined): void;
  onHostEndpoint(name: string, endpoint: HostEndpoint | undefined): void;
  /** `key` is the stored key. */
  onNetworkSet(key: string, set: NetworkSet | undefined): void;
  /** All pools, all nodes, after one of them changed. */
  onPools(pools: ReadonlyMap<string, IpPool>): void;
  onNodes(nodes: ReadonlyMap<string, Node>): void;
  /** One of them. */
  onNode(name: string, node: Node | undefined): void;
  /** Whether the block is the host's: its claim is confirmed. */
  onAffinity(node: string, block: Cidr, confirmed: boolean): void;
  /** `default`, or `node.<name>`. */
  onFelix(name: string, felix: FelixConfiguration | undefined): void;
  /** A whole state was told: nothing else exists. */
  onInSync(): void;
}

const PROFILES = resourcePrefix('profiles');
const ENDPOINTS = resourcePrefix('workloadendpoints');
const TIERS = resourcePrefix('tiers');
const POLICIES = [resourcePrefix('networkpolicies'), resourcePrefix('globalnetworkpolicies')];
const SETS = [resourcePrefix('networksets'), resourcePrefix('globalnetworksets')];
const HOST_ENDPOINTS = resourcePrefix('hostendpoints');
const POOLS = resourcePrefix('ippools');
const NODES = resourcePrefix('nodes');
const FELIX = resourcePrefix('felixconfigurations');
/** `<node>/ipv4/block/10.20.3.64-26` below the prefix of all claims on blocks. */
const AFFINITY = /^([^/]+)\/ipv[46]\/block\/(.+)-(\d+)$/;

/** What a syncer for the agent has to follow. */
export const clusterPrefixes: readonly string[] = [
  ...[PROFILES, TIERS, ...POLICIES, ...SETS],
  ...[HOST_ENDPOINTS, ENDPOINTS, POOLS, NODES, FELIX],
  allAffinitiesPrefix,
];

/**
 * Stored entries as objects of the model. After a lost watch only the differences are told on. What
 * cannot be decoded counts as absent, so that it admits nothing, and is named in `unreadable`.
 */
export class ClusterView implements SyncListener {
  readonly #listener: ClusterListener;
  readonly #log: Log;
  /** Of what was told last; the texts themselves would be most of the memory of a large cluster. */
  readonly #digests = new Map<string, string>();
  readonly #pools = new Map<string, IpPool>();
  readonly #nodes = new Map<string, Node>();
  readonly #unreadable = new Map<string, string>();
  #inSync = false;
  /** While a snapshot is told: of which kinds all have to be told. */
  #whole: Set<'pools' | 'nodes'> | undefined;

  constructor(listener: ClusterListener, log: Log) {
    this.#listener = listener;
    this.#log = log;
  }

  /** A first snapshot was told. */
  get inSync(): boolean {
    return this.#inSync;
  }

  /** Key → why, of stored objects that count as absent. */
  get unreadable(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#unreadable);
  }

  onSnapshot(all: ReadonlyMap<string, Entry>): void {
    this.#whole = this.#inSync ? new Set() : new Set(['pools', 'nodes']);
    const told = this.#whole;
    for (const key of [...this.#digests.keys()]) if (!all.has(key)) this.onChange(key, undefined);
    for (const [key, entry] of all) this.onChange(key, entry);
    this.#whole = undefined;
    // At the first also when there are none: what depends on them is known now.
    if (told.has('pools')) this.#listener.onPools(this.#pools);
    if (told.has('nodes')) this.#listener.onNodes(this.#nodes);
    this.#inSync = true;
    this.#listener.onInSync();
  }

  onChange(key: string, entry: Entry | undefined): void {
    const digest = entry && hash('sha1', entry.value, 'base64');
    if (digest === this.#digests.get(key)) return;
    if (digest === undefined) this.#digests.delete(key);
    else this.#digests.set(key, digest);
    const text = entry?.value;
    if (key.startsWith(ENDPOINTS)) {
      const endpoint = this.#decode(key, text, decodeWorkloadEndpoint);
      this.#listener.onEndpoint(key, endpoint, entry?.revision ?? 0n);
    } else if (key.startsWith(POOLS)) {
      put(this.#pools, key, this.#decode(key, text, decodeIpPool));
      this.#tell('pools', () => this.#listener.onPools(this.#pools));
    } else if (key.startsWith(NODES)) {
      const node = this.#decode(key, text, decodeNode);
      put(this.#nodes, key, node);
      this.#listener.onNode(key.slice(NODES.length), node);
      this.#tell('nodes', () => this.#listener.onNodes(this.#nodes));
    } else if (key.startsWith(FELIX)) {
      const felix = this.#decode(key, text, decodeFelixConfiguration);
      this.#listener.onFelix(key.slice(FELIX.length), felix);
    } else if (key.startsWith(allAffinitiesPrefix)) {
      this.#onAffinity(key, text);
    } else {
      this.#onPolicyChange(key, text);
    }
  }

  /** What decides about packets. */
  #onPolicyChange(key: string, text: string | undefined): void {
    const below = (prefixes: readonly string[]): string | undefined =>
      prefixes.find((prefix) => key.startsWith(prefix));
    const policies = below(POLICIES);
    if (policies !== undefined) {
      const policy = this.#decode(key, text, decodeNetworkPolicy);
      this.#listener.onPolicy(key.slice(policies.length), policy);
    } else if (below(SETS) !== undefined) {
      this.#listener.onNetworkSet(key, this.#decode(key, text, decodeNetworkSet));
    } else if (key.startsWith(PROFILES)) {
      this.#listener.onProfile(key.slice(PROFILES.length), this.#decode(key, text, decodeProfile));
    } else if (key.startsWith(HOST_ENDPOINTS)) {
      const endpoint = this.#decode(key, text, decodeHostEndpoint);
      this.#listener.onHostEndpoint(key.slice(HOST_ENDPOINTS.length), endpoint);
    } else if (key.startsWith(TIERS)) {
      this.#listener.onTier(key.slice(TIERS.length), this.#decode(key, text, decodeTier));
    }
  }

  /** All of a kind once, at the end of a snapshot: told with each of thousands they would cost their square. */
  #tell(kind: 'pools' | 'nodes', now: () => void): void {
    if (this.#whole === undefined) now();
    else this.#whole.add(kind);
  }

  #onAffinity(key: string, text: string | undefined): void {
    const [, node, base, length] = AFFINITY.exec(key.slice(allAffinitiesPrefix.length)) ?? [];
    const block = node === undefined ? undefined : Cidr.tryParse(`${base}/${length}`);
    // Other records of a host are below the same prefix.
    if (node === undefined || block === undefined) return;
    const state = this.#decode(key, text, decodeAffinity);
    this.#listener.onAffinity(node, block, state === 'confirmed');
  }

  #decode<T>(
    key: string,
    text: string | undefined,
    decode: (text: string, where: string) => T,
  ): T | undefined {
    this.#unreadable.delete(key);
    if (text === undefined) return undefined;
    try {
      return decode(text, key);
    } catch (error) {
      this.#unreadable.set(key, messageOf(error));
      this.#log.warn({ key, reason: messageOf(error) }, 'a stored object cannot be understood');
      return undefined;
    }
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
