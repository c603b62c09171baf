import { Fault, isFault, messageOf } from '../../base/index.js';
import { bitsOf, tunnels, type Address, type TunnelKind } from '../../model/index.js';
import type { Link, Netlink } from '../../netlink/index.js';
import {
  isSameDevice,
  type DesiredDevice,
  type HostLinks,
  type TunnelProblem,
} from './desired-device.js';

export interface EnsuredDevice {
  /** Undefined when there is none, and `problem` says why. */
  readonly index?: number;
  readonly problem?: TunnelProblem;
  /** Something was written. */
  readonly changed: boolean;
}

/** Makes the device as it has to be; writes nothing when it is. Faults: those of netlink that are no finding. */
export async function ensureDevice(
  netlink: Netlink,
  wanted: DesiredDevice,
  host: HostLinks,
): Promise<EnsuredDevice> {
  const kind = wanted.vxlan === undefined ? 'ipip' : 'vxlan';
  const existing = host.links.find(({ name }) => name === wanted.name);
  if (existing !== undefined && existing.kind !== kind) {
    const words = `interface ${wanted.name} is a ${existing.kind || 'device'} of another program, not ${kind}: remove or rename it`;
    return { problem: { device: wanted.name, reason: 'name-taken', words }, changed: false };
  }
  const usable = existing !== undefined && isSameDevice(existing, wanted) ? existing : undefined;
  if (existing !== undefined && usable === undefined) await netlink.deleteLinks([existing]);
  let made: Link | undefined;
  try {
    made = usable ?? (await create(netlink, wanted));
  } catch (error) {
    const problem = problemOf(wanted, error);
    if (problem === undefined) throw error;
    return { problem, changed: existing !== undefined };
  }
  const adjusted = await adjust(netlink, wanted, made);
  const addressed = await ensureAddress(
    netlink,
    wanted,
    made.index,
    usable === undefined ? [] : host.addresses,
  );
  return { index: made.index, changed: usable === undefined || adjusted || addressed };
}

async function create(netlink: Netlink, { name, vxlan }: DesiredDevice): Promise<Link> {
  try {
    if (vxlan !== undefined) await netlink.createVxlan(vxlan);
    else await netlink.createIpip(name);
  } catch (error) {
    // The module makes its own tunl0 as it is loaded.
    if (vxlan !== undefined || !isFault(error, 'exists')) throw error;
  }
  const link = await netlink.linkByName(name);
  if (link !== undefined) return link;
  throw new Fault('unavailable', `${name} went away as soon as it was made`, {
    reason: 'no-such-link',
  });
}

async function adjust(netlink: Netlink, wanted: DesiredDevice, link: Link): Promise<boolean> {
  const { mtu, vxlan } = wanted;
  const change = {
    ...(link.mtu === mtu ? {} : { mtu }),
    ...(vxlan === undefined || link.mac === vxlan.mac ? {} : { mac: vxlan.mac }),
    ...(link.up ? {} : { up: true }),
  };
  if (Object.keys(change).length === 0) return false;
  await netlink.setLink(link.index, change);
  return true;
}

/** The tunnel address alone: packets of the host itself take the only address there as their source. */
async function ensureAddress(
  netlink: Netlink,
  { address }: DesiredDevice,
  index: number,
  addresses: HostLinks['addresses'],
): Promise<boolean> {
  if (address === undefined) return false;
  const there = addresses.filter(
    (entry) =>
      entry.index === index &&
      entry.address.family === address.family &&
      !isLinkLocal(entry.address),
  );
  const prefix = bitsOf(address.family);
  const isWanted = (entry: (typeof there)[number]): boolean =>
    entry.address.equals(address) && entry.prefix === prefix;
  const missing = !there.some(isWanted);
  if (missing) {
    await netlink.addAddress(index, address, prefix).catch((error: unknown) => {
      if (!isFault(error, 'exists')) throw error;
    });
  }
  const others = there.filter((entry) => !isWanted(entry));
  for (const other of others) await netlink.removeAddress(index, other.address, other.prefix);
  return missing || others.length > 0;
}

/**
 * No pool asks for the tunnel any more; true when something was removed. `tunl0` cannot go while its module is
 * loaded: it loses the addresses that are ours.
 */
export async function retireDevice(
  netlink: Netlink,
  kind: TunnelKind,
  { links, addresses }: HostLinks,
  isOurs: (address: Address) => boolean,
): Promise<boolean> {
  const link = links.find(({ name }) => name === tunnels[kind].device);
  if (link === undefined) return false;
  if (kind !== 'ipip') {
    if (link.kind === 'vxlan') await netlink.deleteLinks([link]);
    return link.kind === 'vxlan';
  }
  const ours = addresses.filter(
    ({ index, address }) => index === link.index && !isLinkLocal(address) && isOurs(address),
  );
  for (const { address, prefix } of ours) await netlink.removeAddress(link.index, address, prefix);
  return ours.length > 0;
}

function isLinkLocal(address: Address): boolean {
  return address.family === 6 && address.value >> 118n === 0x3fan;
}

function problemOf({ name, vxlan }: DesiredDevice, error: unknown): TunnelProblem | undefined {
  const problem = (reason: TunnelProblem['reason'], words: string): TunnelProblem => ({
    device: name,
    reason,
    words,
  });
  if (isFault(error, 'unsupported')) {
    const words =
      vxlan === undefined
        ? 'this kernel has no IPIP: load the module ipip, or set ipipMode to Never and vxlanMode to Always in the pool'
        : 'this kernel has no VXLAN: load the module vxlan, or use a pool without encapsulation and BGP';
    return problem('kernel-unsupported', words);
  }
  const taken =
    isFault(error, 'exists') || (isFault(error, 'unavailable') && error.reason === 'port-in-use');
  if (vxlan === undefined || !taken) return undefined;
  const what = isFault(error, 'exists')
    ? `VNI ${vxlan.id} on UDP port ${vxlan.port}`
    : `UDP port ${vxlan.port}`;
  return problem(
    'port-taken',
    `another program has ${what} (Docker Swarm uses 4789): stop it, or set vxlanPort in FelixConfiguration default on all hosts; ${messageOf(error)}`,
  );
}
