import type { Address, Family } from './address.js';
import type { Cidr } from './cidr.js';

export type Encapsulation = 'Never' | 'Always' | 'CrossSubnet';
export type PoolUse = 'Workload' | 'Tunnel' | 'LoadBalancer';

/** An IPPool as the program decides with it; defaults are filled in (datamodel §1.1). */
export interface IpPool {
  readonly name: string;
  readonly cidr: Cidr;
  readonly blockSize: number;
  readonly ipipMode: Encapsulation;
  readonly vxlanMode: Encapsulation;
  readonly natOutgoing: boolean;
  /** Its routes are kept from BGP peers. */
  readonly disableBgpExport: boolean;
  /** `spec.disabled` alone. */
  readonly disabled: boolean;
  /** Disabled, being deleted, or its Allocatable condition is False: no new addresses. */
  readonly closed: boolean;
  readonly nodeSelector: string;
  readonly namespaceSelector: string;
  readonly allowedUses: readonly PoolUse[];
  readonly assignmentMode: 'Automatic' | 'Manual';
}

/** Members of `spec.reservedCIDRs`, never given out automatically. */
export interface IpReservation {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
}

/** `/calico/ipam/v2/config`; `defaultIpamConfig` when the key is absent. */
export interface IpamConfig {
  readonly strictAffinity: boolean;
  readonly autoAllocateBlocks: boolean;
  /** 0 means the default of 20. */
  readonly maxBlocksPerHost: number;
  /** A released address rests this long; 0 means not at all. */
  readonly ipCooldownSeconds: number;
}

export const defaultIpamConfig: IpamConfig = {
  strictAffinity: false,
  autoAllocateBlocks: true,
  maxBlocksPerHost: 0,
  ipCooldownSeconds: 0,
};

/** The pool whose CIDR holds the address, whatever its state. */
export function poolOf(pools: Iterable<IpPool>, address: Address): IpPool | undefined {
  for (const pool of pools) if (pool.cidr.contains(address)) return pool;
  return undefined;
}

export function poolsOfFamily(pools: Iterable<IpPool>, family: Family): IpPool[] {
  return [...pools].filter((pool) => pool.cidr.family === family);
}
