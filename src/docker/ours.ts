import type { DockerNetwork } from './engine-records.js';

/** Ours by network driver, or by IPAM driver alone (a bridge network may take its addresses from us). */
export function isOurs(
  network: DockerNetwork,
  driverName: string,
  ipamDriverName: string,
): boolean {
  return isDriver(network.driver, driverName) || isDriver(network.ipamDriver, ipamDriverName);
}

export function isDriver(found: string, wanted: string): boolean {
  return found === wanted || found === `${wanted}:latest`;
}
