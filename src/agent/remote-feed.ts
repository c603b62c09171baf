import {
  Address,
  families,
  hostAddressesOf,
  mergeFelix,
  tunnelKinds,
  tunnels as traits,
  VXLAN_UDP_PORT,
  type BgpListener,
  type Cidr,
  type FelixConfiguration,
  type IpPool,
  type Node,
  type TunnelKind,
  type WorkloadEndpoint,
} from '../model/index.js';
import type { Openings } from './forward-keeper.js';
import type { AgentSettings } from './ports.js';
import type { ClusterRoutes } from './routes/index.js';
import type { DesiredTable } from './table.js';
import { hostSet, renderTunnels, tunnelOpenings, type TunnelKeeper } from './tunnels/index.js';

export interface RemoteFeedOptions {
  readonly settings: AgentSettings;
  readonly table: DesiredTable;
  readonly routes: ClusterRoutes;
  readonly tunnels: TunnelKeeper;
  /** `plainRoutes` is another now. */
  readonly onPlainRoutes?: () => void;
  /** These may differ from the kernel. */
  readonly onDirty: (...parts: readonly ('table' | 'tunnels' | 'remote' | 'forward')[]) => void;
}

/** What the store tells, turned into wanted routes, tunnels and their rules. Each change costs what it concerns. */
export class RemoteFeed {
  readonly #options: RemoteFeedOptions;
  readonly #felix = new Map<string, FelixConfiguration>();
  /** Host addresses by node, and nodes by address: several may name one by mistake. */
  readonly #hosts = new Map<string, readonly Address[]>();
  readonly #holders = new Map<string, Set<string>>();
  #own: Node | undefined;
  #pools: readonly IpPool[] = [];
  #plainRoutes = false;
  #listeners: readonly BgpListener[] | undefined;

  constructor(options: RemoteFeedOptions) {
    this.#options = options;
    this.#applyFelix();
  }

  /** What the FelixConfigurations and the operator's variables come to on this host. */
  get felix(): FelixConfiguration {
    const { nodeName, felix } = this.#options.settings;
    return mergeFelix(this.#felix.get('default'), this.#felix.get(`node.${nodeName}`), felix);
  }

  /** Routes of plain pools to hosts of this segment are the agent's. */
  get plainRoutes(): boolean {
    return this.#plainRoutes;
  }

  /** Host addresses that several Nodes have. */
  get conflicts(): readonly { readonly address: string; readonly nodes: readonly string[] }[] {
    return [...this.#holders]
      .map(([address, nodes]) => ({
        address,
        nodes: [...nodes].sort(),
      }))
      .filter(({ nodes }) => nodes.length > 1);
  }

  /** Pools with addresses of hosts in them. */
  get coveringPools(): readonly { readonly pool: IpPool; readonly hosts: readonly string[] }[] {
    return this.#pools.flatMap((pool) => {
      const inside = [...this.#hosts.values()].flat().filter((host) => pool.cidr.contains(host));
      return inside.length === 0 ? [] : { pool, hosts: inside.map(String).sort() };
    });
  }

  /** What tunnels and BGP need of the host's own firewall. */
  get openings(): Openings {
    const port = this.felix.vxlanPort ?? VXLAN_UDP_PORT;
    return tunnelOpenings(this.#options.tunnels.inUse, port, this.#listeners);
  }

  /** Whether BGP is spoken, and where, is known: an opening for it is not closed before. */
  get knowsListeners(): boolean {
    return this.#listeners !== undefined || this.#options.settings.bgp === undefined;
  }

  /** Where this host's BGP speaker listens; nowhere when it speaks to nobody. */
  setListeners(listeners: readonly BgpListener[]): void {
    this.#listeners = listeners;
    this.render();
    this.#options.onDirty('table', 'forward');
  }

  onPools(pools: Iterable<IpPool>): void {
    const { routes, tunnels, onDirty } = this.#options;
    const all = [...pools];
    this.#pools = all;
    routes.setPools(all);
    tunnels.setPools(all);
    this.render();
    onDirty('table', 'tunnels', 'remote', 'forward');
  }

  onNode(name: string, node: Node | undefined): void {
    const { settings, routes, tunnels, onDirty } = this.#options;
    routes.setNode(name, node);
    tunnels.setNode(name, node);
    this.#setHosts(name, node === undefined ? [] : hostAddressesOf(node));
    if (name === settings.nodeName) {
      this.#own = node;
      this.render();
    }
    onDirty('table', 'tunnels', 'remote');
  }

  onAffinity(node: string, block: Cidr, confirmed: boolean): void {
    this.#options.routes.setAffinity(node, block, confirmed);
    this.#options.onDirty('remote');
  }

  onEndpoint(key: string, endpoint: WorkloadEndpoint | undefined, revision: bigint): void {
    const { routes, onDirty } = this.#options;
    routes.setEndpoint(key, endpoint, revision);
    if (routes.dirty) onDirty('remote');
  }

  onFelix(name: string, felix: FelixConfiguration | undefined): void {
    if (felix === undefined) this.#felix.delete(name);
    else this.#felix.set(name, felix);
    this.#applyFelix();
  }

  /** A local endpoint has these addresses now, or none has. */
  touch(addresses: readonly Address[]): void {
    const { routes, onDirty } = this.#options;
    for (const address of addresses) routes.touch(address);
    if (routes.dirty) onDirty('remote');
  }

  /** The rules that go with the tunnels in use. */
  render(): void {
    const { table, tunnels } = this.#options;
    for (const family of families) {
      table.putSet(hostSet(family), { kind: 'set', type: `ipv${family}_addr` });
    }
    const { chains } = renderTunnels({
      inUse: tunnels.inUse,
      port: this.felix.vxlanPort ?? VXLAN_UDP_PORT,
      addresses: this.#tunnelAddresses(),
      ...(this.#listeners === undefined ? {} : { listeners: this.#listeners }),
      outsiders: withoutNested(this.felix.externalNodesList ?? []),
    });
    for (const { name, hook, rules } of chains) {
      if (rules.length > 0) table.putChain(name, { hook, rules });
      else table.dropChain(name);
    }
  }

  #applyFelix(): void {
    const { settings, routes, tunnels, onDirty } = this.#options;
    const felix = this.felix;
    const { programClusterRoutes: wanted } = felix;
    const before = this.plainRoutes;
    const felixWants = wanted === 'Enabled' || wanted === 'EnabledNoEncapOnly';
    this.#plainRoutes = felixWants || settings.plainRoutes === true;
    routes.setPlainRoutes(this.#plainRoutes);
    if (this.#plainRoutes !== before) this.#options.onPlainRoutes?.();
    tunnels.setFelix(felix);
    this.render();
    onDirty('table', 'tunnels', 'remote', 'forward');
  }

  #tunnelAddresses(): Partial<Record<TunnelKind, Address>> {
    const found: Partial<Record<TunnelKind, Address>> = {};
    for (const kind of tunnelKinds) {
      const { member, family } = traits[kind];
      const address = Address.tryParse(this.#own?.[member] ?? '');
      if (address?.family === family) found[kind] = address;
    }
    return found;
  }

  #setHosts(node: string, addresses: readonly Address[]): void {
    const { table } = this.#options;
    for (const family of families) {
      table.putSet(hostSet(family), { kind: 'set', type: `ipv${family}_addr` });
    }
    const before = this.#hosts.get(node) ?? [];
    this.#hosts.set(node, addresses);
    for (const address of addresses) {
      const holders = this.#holders.get(String(address)) ?? new Set();
      this.#holders.set(String(address), holders.add(node));
      table.addElement(hostSet(address.family), String(address));
    }
    for (const address of before) {
      if (addresses.some((other) => other.equals(address))) continue;
      const holders = this.#holders.get(String(address));
      holders?.delete(node);
      if (holders !== undefined && holders.size > 0) continue;
      this.#holders.delete(String(address));
      table.removeElement(hostSet(address.family), String(address));
    }
  }
}

/** nft refuses a list of networks in which one contains another. */
function withoutNested(cidrs: readonly Cidr[]): readonly Cidr[] {
  return cidrs.filter(
    (cidr) => !cidrs.some((other) => other.prefix < cidr.prefix && other.containsCidr(cidr)),
  );
}
