import { Address } from './address.js';
import { Cidr } from './cidr.js';

/**
 * How far the emptying of a node is: `started`, it takes no addresses any more; `empty`, nothing runs on it, and it
 * gives up its tunnel addresses and BGP sessions too.
 */
export type Drain = 'started' | 'empty';

/** A Calico Node; addresses are text as stored (`192.0.2.10/24`). */
export interface Node {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly asNumber?: number;
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  readonly routeReflectorClusterId?: string;
  readonly ipv4IpipTunnelAddress?: string;
  readonly ipv4VxlanTunnelAddress?: string;
  readonly ipv6VxlanTunnelAddress?: string;
  /** MAC of the IPv4 VXLAN device when it is not the derived one. */
  readonly vxlanTunnelMac?: string;
  readonly vxlanTunnelMacV6?: string;
  /** Set while the node is being emptied, or is. */
  readonly drain?: Drain;
}

/** A node's own addresses, without its tunnels'; those that cannot be read are absent. */
export function hostAddressesOf(node: Node): readonly Address[] {
  return [node.ipv4Address, node.ipv6Address].flatMap((text) =>
    text === undefined
      ? []
      : (Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text) ?? []),
  );
}
