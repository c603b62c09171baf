import type {
  Address,
  HostEndpoint,
  NetworkPolicy,
  NetworkSet,
  Profile,
  Tier,
  WorkloadEndpoint,
} from '../index.js';

/** A port of a host that stays open whatever policies say (node-agent §5.6). */
export interface FailsafePort {
  readonly protocol: string | number;
  readonly port: number;
  /** Only for peers in this network, in CIDR form; all when absent. */
  readonly net?: string;
}

/** What the hosts' configuration adds to the policies. */
export interface VerdictSettings {
  /** `all`: every host of the cluster reaches the containers; `own`: only the host they run on. */
  readonly hostReach: 'own' | 'all';
  /** What happens to traffic from a container to its own host that its policies let out. */
  readonly endpointToHost: 'Drop' | 'Accept' | 'Return';
  readonly failsafeInbound: readonly FailsafePort[];
  readonly failsafeOutbound: readonly FailsafePort[];
  /** Tunnel traffic between nodes passes host endpoints. */
  readonly ipip: boolean;
  /** UDP port of VXLAN between nodes; absent: no VXLAN. */
  readonly vxlanPort?: number;
}

const ports = (protocol: string, list: readonly number[]): FailsafePort[] =>
  list.map((port) => ({ protocol, port }));

/** As Felix has them for Docker hosts. */
export const defaultVerdictSettings: VerdictSettings = {
  hostReach: 'own',
  endpointToHost: 'Return',
  failsafeInbound: [
    ...ports('tcp', [22, 179, 2379, 2380, 5473, 6443, 6666, 6667]),
    ...ports('udp', [68]),
  ],
  failsafeOutbound: [
    ...ports('tcp', [179, 2379, 2380, 5473, 6443, 6666, 6667]),
    ...ports('udp', [53, 67]),
  ],
  ipip: false,
};

/** What of a workload endpoint decides; those of the store have it all. */
export type Workload = Pick<
  WorkloadEndpoint,
  'namespace' | 'name' | 'node' | 'addresses' | 'profiles' | 'labels' | 'ports'
> & {
  /** Of its container's other endpoints, which it may send from as well. */
  readonly otherAddresses?: readonly Address[];
};

export interface WorldNode {
  readonly name: string;
  readonly addresses: readonly Address[];
}

/** Everything that a verdict depends on. */
export interface World {
  readonly workloads: readonly Workload[];
  readonly hostEndpoints: readonly HostEndpoint[];
  readonly profiles: readonly Profile[];
  readonly policies: readonly NetworkPolicy[];
  readonly tiers: readonly Tier[];
  readonly networkSets: readonly NetworkSet[];
  readonly nodes: readonly WorldNode[];
  readonly settings: VerdictSettings;
  /** Hosts that are configured otherwise, by node; the others are as `settings` says. */
  readonly nodeSettings?: Readonly<Record<string, VerdictSettings>>;
}

/** How one host is configured. */
export function settingsAt({ settings, nodeSettings }: World, node: string): VerdictSettings {
  return nodeSettings?.[node] ?? settings;
}

/** The first packet of a flow. */
export interface Packet {
  /** Both addresses are of one family. */
  readonly source: Address;
  readonly destination: Address;
  /** IP protocol number. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}
