import {
  Address,
  Cidr,
  encapsulationInUse,
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
import type { AddressGuard } from './address-guard.js';
import type { ClusterListener } from './cluster-view.js';
import type { EndpointBook } from './endpoint-book.js';
import type { LocalProgrammer } from './local-programmer.js';
import { renderNat } from './nat/index.js';
import { hostSettingsOf } from './felix-settings.js';
import type { HostSettings, Policy } from './policy/index.js';
import type { ProfileBook } from './profile-book.js';
import type { RemoteFeed } from './remote-feed.js';
import type { DesiredTable } from './table.js';

export interface ClusterFeedOptions {
  readonly nodeName: string;
  readonly table: DesiredTable;
  readonly policy: Policy;
  readonly profiles: ProfileBook;
  readonly book: EndpointBook;
  readonly programmer: LocalProgrammer;
  readonly guard: AddressGuard;
  /** What the operator of this host says of it. */
  readonly hostSettings: HostSettings;
  /** What leads to other hosts. */
  readonly remote: RemoteFeed;
  /** The table may differ from the kernel's. */
  readonly onDirty: () => void;
  /** There are other host endpoints: which interface is whose may have changed. */
  readonly onHostEndpoints: () => void;
  /** The first whole state, and each after a lost watch, was told. */
  readonly onInSync: () => void;
}

/** What the store tells, turned into wanted policy and NAT. */
export class ClusterFeed implements ClusterListener {
  readonly #options: ClusterFeedOptions;
  #pools: readonly IpPool[] = [];

  constructor(options: ClusterFeedOptions) {
    this.#options = options;
    options.policy.setHostSettings(hostSettingsOf(options.remote.felix, options.hostSettings));
    // The rules exist from the start; the pools decide whom they touch.
    this.onPools(new Map());
  }

  onProfile(name: string, profile: Profile | undefined): void {
    this.#options.profiles.tell(name, profile);
    this.#options.onDirty();
  }

  onPolicy(id: string, policy: NetworkPolicy | undefined): void {
    this.#options.policy.setPolicy(id, policy);
    this.#options.onDirty();
  }

  onTier(name: string, tier: Tier | undefined): void {
    this.#options.policy.setTier(name, tier);
    this.#options.onDirty();
  }

  onNetworkSet(key: string, set: NetworkSet | undefined): void {
    this.#options.policy.setNetworkSet(key, set);
    this.#options.onDirty();
  }

  onHostEndpoint(name: string, endpoint: HostEndpoint | undefined): void {
    const { policy, nodeName, onDirty, onHostEndpoints } = this.#options;
    const local = endpoint?.node === nodeName;
    policy.setHostEndpoint(name, endpoint, local);
    if (local) onHostEndpoints();
    onDirty();
  }

  onEndpoint(key: string, endpoint: WorkloadEndpoint | undefined, revision: bigint): void {
    const { book, policy, programmer, guard, remote, nodeName, onDirty } = this.#options;
    remote.onEndpoint(key, endpoint, revision);
    const own = endpoint?.node === nodeName;
    if (!own) {
      policy.setEndpoint(key, endpoint);
      guard.suspect(endpoint?.addresses ?? []);
    }
    const id = book.setStored(key, own ? endpoint : undefined);
    if (id !== undefined) programmer.refresh(id);
    onDirty();
  }

  onPools(pools: ReadonlyMap<string, IpPool>): void {
    const { table, policy, onDirty } = this.#options;
    this.#pools = [...pools.values()];
    policy.setEncapsulation(encapsulationInUse(this.#pools, this.#options.remote.felix));
    const { sets, chains } = renderNat(pools.values());
    for (const { name, type, keys } of sets) {
      table.putSet(name, { kind: 'set', type, interval: true });
      table.replaceElements(name, keys);
    }
    for (const { name, hook, rules } of chains) table.putChain(name, { hook, rules });
    this.#options.remote.onPools(pools.values());
    onDirty();
  }

  onNode(name: string, node: Node | undefined): void {
    this.#options.remote.onNode(name, node);
  }

  onAffinity(node: string, block: Cidr, confirmed: boolean): void {
    this.#options.remote.onAffinity(node, block, confirmed);
  }

  onFelix(name: string, felix: FelixConfiguration | undefined): void {
    const { remote, policy, hostSettings, onDirty } = this.#options;
    remote.onFelix(name, felix);
    policy.setHostSettings(hostSettingsOf(remote.felix, hostSettings));
    policy.setEncapsulation(encapsulationInUse(this.#pools, remote.felix));
    onDirty();
  }

  onNodes(nodes: ReadonlyMap<string, Node>): void {
    this.#options.policy.setNodeAddresses([...nodes.values()].flatMap(nodeAddresses));
    this.#options.onDirty();
  }

  onInSync(): void {
    this.#options.onInSync();
  }
}

/** Every address that a host may send from: its own, and those of its tunnels. */
function nodeAddresses(node: Node): Address[] {
  const { ipv4Address, ipv6Address } = node;
  const { ipv4IpipTunnelAddress, ipv4VxlanTunnelAddress, ipv6VxlanTunnelAddress } = node;
  const texts = [
    ipv4Address,
    ipv6Address,
    ipv4IpipTunnelAddress,
    ipv4VxlanTunnelAddress,
    ipv6VxlanTunnelAddress,
  ];
  return texts.flatMap((text) => {
    if (text === undefined) return [];
    return Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text) ?? [];
  });
}
