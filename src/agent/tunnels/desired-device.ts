import {
  Address,
  Cidr,
  tunnels,
  VXLAN_UDP_PORT,
  type Family,
  type FelixConfiguration,
  type Node,
  type TunnelKind,
} from '../../model/index.js';
import type { Link, LinkAddress, VxlanSpec } from '../../netlink/index.js';
import { hostMtu, tunnelMtu } from './mtu.js';
import { vxlanMacOf } from './vteps.js';

/** Why a tunnel does not work, or not wholly; a closed list. */
export type TunnelReason =
  /** Our Node has no address of the family. */
  | 'node-without-address'
  /** The Node's address is on no interface of this host. */
  | 'address-not-on-host'
  /** No address for the device yet: no pool gives one, or it is on its way. */
  | 'no-tunnel-address'
  /** The kernel has no such devices. */
  | 'kernel-unsupported'
  /** Another program has the UDP port, or the VNI. */
  | 'port-taken'
  /** An interface of another kind has the name. */
  | 'name-taken'
  /** Two hosts claim one tunnel address or MAC. */
  | 'conflict';

export interface TunnelProblem {
  readonly device: string;
  readonly reason: TunnelReason;
  readonly words: string;
}

export const tunnelWords: Readonly<Record<TunnelReason, string>> = {
  'node-without-address': 'our Node has no address of this family: set IP, or IP6=autodetect',
  'address-not-on-host':
    'the address of our Node is on no interface of this host: set IP=autodetect',
  'no-tunnel-address':
    'no address for the tunnel yet: a pool of its kind must be open to tunnels and to this node',
  'kernel-unsupported': 'the kernel has no such device',
  'port-taken': 'another program has the port',
  'name-taken': 'another program has an interface of the name',
  conflict: 'two hosts claim one address or MAC',
};

export const DEFAULT_VNI = 4096;

/** Interface numbers, for routes; a missing one is not there. */
export interface DeviceIndexes {
  readonly uplinks: Readonly<Partial<Record<Family, number>>>;
  readonly tunnels: Readonly<Partial<Record<TunnelKind, number>>>;
}

/** What the host has, as the kernel tells it. */
export interface HostLinks {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
}

/** The interface that has the Node's address. */
export function uplinkOf(
  node: Node | undefined,
  family: Family,
  host: HostLinks,
): { readonly link: Link; readonly address: Address } | TunnelReason {
  const text = family === 4 ? node?.ipv4Address : node?.ipv6Address;
  const address =
    text === undefined
      ? undefined
      : (Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text));
  if (address?.family !== family) return 'node-without-address';
  const holder = host.addresses.find((entry) => entry.address.equals(address));
  const link = host.links.find(({ index }) => index === holder?.index);
  return link === undefined ? 'address-not-on-host' : { link, address };
}

/** One tunnel's device as it has to be. */
export interface DesiredDevice {
  readonly kind: TunnelKind;
  readonly name: string;
  readonly mtu: number;
  /** Undefined while there is none. */
  readonly address: Address | undefined;
  /** Of VXLAN devices. */
  readonly vxlan?: VxlanSpec;
}

export interface DeviceInput {
  readonly kind: TunnelKind;
  readonly node: Node | undefined;
  readonly felix: FelixConfiguration;
  readonly host: HostLinks;
}

export function desiredDevice(input: DeviceInput): DesiredDevice | TunnelReason {
  const { kind, node, felix, host } = input;
  const { family, device: name, member } = tunnels[kind];
  const uplink = uplinkOf(node, family, host);
  if (typeof uplink === 'string' || node === undefined) {
    return typeof uplink === 'string' ? uplink : 'node-without-address';
  }
  const size = hostMtu(host.links, [uplink.link.index], felix.mtuIfacePattern) ?? uplink.link.mtu;
  const mtu = tunnelMtu(kind, size, felix);
  const text = node[member];
  const found = text === undefined ? undefined : Address.tryParse(text);
  const address = found?.family === family ? found : undefined;
  if (kind === 'ipip') return { kind, name, mtu, address };
  const vxlan: VxlanSpec = {
    ...{ name, mtu, learning: false, local: uplink.address, linkIndex: uplink.link.index },
    mac: vxlanMacOf(node, kind),
    id: felix.vxlanVni ?? DEFAULT_VNI,
    port: felix.vxlanPort ?? VXLAN_UDP_PORT,
  };
  return { kind, name, mtu, address, vxlan };
}

/** What cannot be changed in place is as it has to be. */
export function isSameDevice(link: Link, { vxlan }: DesiredDevice): boolean {
  if (vxlan === undefined) return true;
  const found = link.vxlan;
  return (
    found !== undefined &&
    found.id === vxlan.id &&
    found.port === vxlan.port &&
    found.linkIndex === vxlan.linkIndex &&
    found.learning === vxlan.learning &&
    String(found.local) === String(vxlan.local)
  );
}
