import type { Cidr } from './cidr.js';
import type { IpPool } from './ip-pool.js';

/** UDP port of VXLAN, unless `vxlanPort` says another (IANA's). */
export const VXLAN_UDP_PORT = 4789;

/** A port that host policy never closes, with the networks it is open for; every one unless told. */
export interface FailsafePort {
  readonly protocol: string;
  readonly port: number;
  readonly net?: Cidr;
}

/** Which routes of pools the agent sets itself, rather than BIRD. */
export type ProgramClusterRoutes =
  'Disabled' | 'EnabledIPIPOnly' | 'EnabledNoEncapOnly' | 'Enabled';

/** The members of a FelixConfiguration that have a meaning here (datamodel §1.12); absent means not set. */
export interface FelixConfiguration {
  readonly defaultEndpointToHostAction?: 'Drop' | 'Return' | 'Accept';
  /** An empty list means none; absent means Calico's own. */
  readonly failsafeInboundHostPorts?: readonly FailsafePort[];
  readonly failsafeOutboundHostPorts?: readonly FailsafePort[];
  readonly vxlanPort?: number;
  readonly vxlanVni?: number;
  /** 0 means found out. */
  readonly vxlanMtu?: number;
  readonly vxlanMtuV6?: number;
  readonly ipipMtu?: number;
  /** Absent: as the pools say. */
  readonly vxlanEnabled?: boolean;
  readonly ipipEnabled?: boolean;
  /** Regular expression of the interfaces that lead to other hosts. */
  readonly mtuIfacePattern?: string;
  readonly programClusterRoutes?: ProgramClusterRoutes;
  /** Hosts outside the cluster from which tunnelled packets are taken. */
  readonly externalNodesList?: readonly Cidr[];
  readonly ipv6Support?: boolean;
  readonly logPrefix?: string;
}

/** The later ones override, member by member. */
export function mergeFelix(
  ...configurations: readonly (FelixConfiguration | undefined)[]
): FelixConfiguration {
  const merged: Record<string, unknown> = {};
  for (const configuration of configurations) {
    for (const [member, value] of Object.entries(configuration ?? {})) {
      if (value !== undefined) merged[member] = value;
    }
  }
  return merged;
}

/** Which packets between hosts carry others. */
export interface EncapsulationInUse {
  readonly ipip: boolean;
  /** UDP port; absent when no pool uses VXLAN. */
  readonly vxlanPort?: number;
}

/** By the pools that are not disabled. */
export function encapsulationInUse(
  pools: Iterable<IpPool>,
  felix: FelixConfiguration,
): EncapsulationInUse {
  const used = [...pools].filter(({ disabled }) => !disabled);
  const vxlan = used.some(({ vxlanMode }) => vxlanMode !== 'Never');
  return {
    ipip: used.some(({ ipipMode }) => ipipMode !== 'Never'),
    ...(vxlan ? { vxlanPort: felix.vxlanPort ?? VXLAN_UDP_PORT } : {}),
  };
}
