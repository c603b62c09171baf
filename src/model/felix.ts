import type { Cidr } from './cidr.js';

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
