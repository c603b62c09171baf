import { Fault, type Log } from '../../base/index.js';
import {
  families,
  tunnelKinds,
  tunnels,
  tunnelsInUse,
  type Address,
  type Family,
  type FelixConfiguration,
  type IpPool,
  type Node,
  type TunnelKind,
} from '../../model/index.js';
import type { KernelEvent, Netlink } from '../../netlink/index.js';
import {
  desiredDevice,
  uplinkOf,
  type DeviceIndexes,
  type HostLinks,
  tunnelWords,
  type TunnelProblem,
} from './desired-device.js';
import { ForwardingKeeper } from './forwarding-keeper.js';
import { hostMtu, workloadMtu } from './mtu.js';
import { LinkWatch } from './link-watch.js';
import { ensureDevice, retireDevice } from './tunnel-device.js';
import { vtepOf, Vteps, type VxlanKind } from './vteps.js';

export interface TunnelStatus {
  readonly device: string;
  readonly mtu: number;
  /** Empty while there is none. */
  readonly address: string;
  /** Hosts that it knows the way to. */
  readonly hosts: number;
}

export interface TunnelKeeperOptions {
  readonly nodeName: string;
  readonly netlink: Netlink;
  readonly log: Log;
}

const VXLAN: readonly VxlanKind[] = ['vxlan4', 'vxlan6'];

/** The tunnel devices of this host, their addresses, and how they find the other hosts. */
export class TunnelKeeper {
  readonly #options: TunnelKeeperOptions;
  readonly #vteps: Readonly<Record<VxlanKind, Vteps>> = {
    vxlan4: new Vteps(),
    vxlan6: new Vteps(),
  };
  readonly #forwarding: Readonly<Record<VxlanKind, ForwardingKeeper>>;
  readonly #watch = new LinkWatch();
  readonly #problems = new Map<TunnelKind, TunnelProblem>();
  readonly #status = new Map<TunnelKind, Omit<TunnelStatus, 'hosts'>>();
  #inUse: ReadonlySet<TunnelKind> = new Set();
  #pools: readonly IpPool[] = [];
  #felix: FelixConfiguration = {};
  #own: Node | undefined;
  #uplinks: Partial<Record<Family, number>> = {};
  #indexes: Partial<Record<TunnelKind, number>> = {};
  #hostMtu: number | undefined;
  #whole = true;

  constructor(options: TunnelKeeperOptions) {
    this.#options = options;
    this.#forwarding = {
      vxlan4: new ForwardingKeeper(options.netlink, this.#vteps.vxlan4),
      vxlan6: new ForwardingKeeper(options.netlink, this.#vteps.vxlan6),
    };
  }

  /** Tunnels that pools or the operator ask for. */
  get inUse(): ReadonlySet<TunnelKind> {
    return this.#inUse;
  }

  get devices(): DeviceIndexes {
    return { uplinks: this.#uplinks, tunnels: this.#indexes };
  }

  /** The MTU of new endpoints; undefined while nothing is known of the host's interfaces. */
  get workloadMtu(): number | undefined {
    return workloadMtu(this.#inUse, this.#hostMtu, this.#felix);
  }

  get status(): readonly TunnelStatus[] {
    return [...this.#status].map(([kind, status]) => ({
      ...status,
      hosts: kind === 'ipip' ? 0 : this.#forwarding[kind].count,
    }));
  }

  get problems(): readonly TunnelProblem[] {
    const conflicts = VXLAN.filter((kind) => this.#inUse.has(kind)).flatMap((kind) =>
      this.#vteps[kind].conflicts().map((conflict) => ({
        device: tunnels[kind].device,
        reason: 'conflict' as const,
        words: `node ${conflict.node} has the ${conflict.what} of node ${conflict.with} and is left out: restart it, or delete the Node that is gone`,
      })),
    );
    return [...this.#problems.values(), ...conflicts];
  }

  setPools(pools: Iterable<IpPool>): void {
    this.#pools = [...pools];
    this.#decideUse();
  }

  setFelix(felix: FelixConfiguration): void {
    this.#felix = felix;
    this.#decideUse();
  }

  setNode(name: string, node: Node | undefined): void {
    for (const kind of VXLAN) this.#vteps[kind].set(name, node && vtepOf(node, kind));
    if (name !== this.#options.nodeName) return;
    this.#own = node;
    this.#whole = true;
  }

  /** True when the event asks for an `apply`. */
  onEvent(event: KernelEvent): boolean {
    if (!this.#watch.concerns(event)) return false;
    this.#whole = true;
    return true;
  }

  /** Looks at everything at the next `apply`. */
  doubt(): void {
    this.#whole = true;
  }

  /** Brings what changed into the kernel. Devices that no pool asks for go only with `remove`. */
  async apply(remove: boolean): Promise<void> {
    const whole = this.#whole;
    this.#whole = false;
    try {
      if (whole) await this.#applyDevices(remove);
      for (const kind of VXLAN) {
        const index = this.#indexes[kind];
        if (index === undefined) this.#forwarding[kind].forget();
        else await this.#forwarding[kind].apply(index, whole, this.#options.nodeName);
      }
    } catch (error) {
      this.#whole = true;
      throw error;
    }
    const taken = [...this.#problems.values()].find(({ reason }) => reason === 'port-taken');
    // Nothing tells when the other program ends: tried again with growing pauses.
    if (whole && taken !== undefined) {
      this.#whole = true;
      throw new Fault('unavailable', taken.words, { reason: taken.reason });
    }
  }

  #decideUse(): void {
    const { vxlanEnabled, ipipEnabled } = this.#felix;
    const used = new Set(tunnelsInUse(this.#pools));
    if (vxlanEnabled === true) used.add('vxlan4');
    if (vxlanEnabled === false) for (const kind of VXLAN) used.delete(kind);
    if (ipipEnabled === true) used.add('ipip');
    if (ipipEnabled === false) used.delete('ipip');
    this.#inUse = used;
    this.#whole = true;
  }

  /** Looks at the host's interfaces and writes nothing: for a host whose tunnels are another agent's. */
  async survey(): Promise<HostLinks> {
    const { netlink } = this.#options;
    const host: HostLinks = { links: await netlink.links(), addresses: await netlink.addresses() };
    const uplinks: Partial<Record<Family, number>> = {};
    for (const family of families) {
      const uplink = uplinkOf(this.#own, family, host);
      if (typeof uplink !== 'string') uplinks[family] = uplink.link.index;
    }
    this.#uplinks = uplinks;
    this.#hostMtu = hostMtu(host.links, Object.values(uplinks), this.#felix.mtuIfacePattern);
    this.#watch.watch(host, this.#own, Object.values(uplinks));
    return host;
  }

  async #applyDevices(remove: boolean): Promise<void> {
    const host = await this.survey();
    const indexes: Partial<Record<TunnelKind, number>> = {};
    for (const kind of tunnelKinds) {
      if (this.#inUse.has(kind)) await this.#ensure(kind, host, indexes);
      else if (remove) await this.#retire(kind, host);
    }
    this.#indexes = indexes;
    this.#watch.watch(host, this.#own, [
      ...Object.values(this.#uplinks),
      ...Object.values(indexes),
    ]);
  }

  async #ensure(
    kind: TunnelKind,
    host: HostLinks,
    indexes: Partial<Record<TunnelKind, number>>,
  ): Promise<void> {
    const { netlink, log } = this.#options;
    const { device } = tunnels[kind];
    const wanted = desiredDevice({ kind, node: this.#own, felix: this.#felix, host });
    if (typeof wanted === 'string') {
      // What is there goes on serving: an interface may be away for a moment only.
      const index = host.links.find(
        ({ name, kind: found }) =>
          name === device && found === (kind === 'ipip' ? 'ipip' : 'vxlan'),
      )?.index;
      if (index !== undefined) indexes[kind] = index;
      this.#tell(kind, { device, reason: wanted, words: tunnelWords[wanted] });
      return;
    }
    const { index, problem, changed } = await ensureDevice(netlink, wanted, host);
    if (index !== undefined) indexes[kind] = index;
    if (changed)
      log.info(
        { device, mtu: wanted.mtu, address: String(wanted.address ?? '') },
        'tunnel device set up',
      );
    this.#status.set(kind, { device, mtu: wanted.mtu, address: String(wanted.address ?? '') });
    if (problem !== undefined) this.#tell(kind, problem);
    else if (wanted.address !== undefined) this.#problems.delete(kind);
    else
      this.#tell(kind, {
        device,
        reason: 'no-tunnel-address',
        words: tunnelWords['no-tunnel-address'],
      });
  }

  async #retire(kind: TunnelKind, host: HostLinks): Promise<void> {
    const used = this.#status.delete(kind);
    this.#problems.delete(kind);
    const isOurs = (address: Address): boolean =>
      used || this.#pools.some(({ cidr }) => cidr.contains(address));
    if (await retireDevice(this.#options.netlink, kind, host, isOurs)) {
      this.#options.log.info({ device: tunnels[kind].device }, 'no pool needs the tunnel any more');
    }
  }

  #tell(kind: TunnelKind, problem: TunnelProblem): void {
    const known = this.#problems.get(kind);
    this.#problems.set(kind, problem);
    if (known?.reason === problem.reason || problem.reason === 'no-tunnel-address') return;
    this.#options.log.warn({ device: problem.device, reason: problem.reason }, problem.words);
  }
}
