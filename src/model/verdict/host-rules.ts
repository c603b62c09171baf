import { Cidr, VXLAN_UDP_PORT, type PolicyDirection } from '../index.js';
import type { Reason, Verdict } from './decision.js';
import type { Packet, VerdictSettings, Workload, WorldNode } from './world.js';

const ICMP = 1;
const IPIP = 4;
const UDP = 17;
const ICMPV6 = 58;
const REDIRECT = 5;
const ROUTER_ADVERTISEMENT = 134;
const REDIRECT_V6 = 137;
/** Multicast listeners, router solicitation and advertisement, neighbour solicitation and advertisement. */
const NEIGHBOUR_TYPES = [130, 131, 132, 133, ROUTER_ADVERTISEMENT, 135, 136, 143];
const DETECTION_TYPES = [131, 133, 135, 143];
const LINK_LOCAL = Cidr.parse('fe80::/10');

/** What no container may send, whatever its policies say (node-agent §5.1 and §5.7); in words. */
export function forgery(
  packet: Packet,
  workload: Workload,
  { vxlanPort }: VerdictSettings,
): string | undefined {
  const { protocol, icmpType, source } = packet;
  if (protocol === ICMPV6 && (icmpType === ROUTER_ADVERTISEMENT || icmpType === REDIRECT_V6)) {
    return 'router advertisements and redirects from containers are dropped';
  }
  if (protocol === ICMP && icmpType === REDIRECT) return 'redirects from containers are dropped';
  if (isUnaddressed(packet)) return undefined;
  const own = [...workload.addresses, ...(workload.otherAddresses ?? [])];
  // A link-local source cannot leave its link.
  if (!LINK_LOCAL.contains(source) && !own.some((address) => address.equals(source))) {
    return `source address ${source} is not of this endpoint`;
  }
  if (protocol === IPIP) return 'IP in IP from containers is dropped';
  if (protocol === UDP && [VXLAN_UDP_PORT, vxlanPort].includes(packet.destinationPort)) {
    return 'VXLAN from containers is dropped';
  }
  return undefined;
}

/** Packets of who has no address yet: duplicate address detection, DHCP discovery. */
function isUnaddressed(packet: Packet): boolean {
  const { source, destination, protocol, icmpType, sourcePort, destinationPort } = packet;
  if (source.value !== 0n) return false;
  if (source.family === 6) return protocol === ICMPV6 && DETECTION_TYPES.includes(icmpType ?? -1);
  const isBroadcast = String(destination) === '255.255.255.255';
  return isBroadcast && protocol === UDP && sourcePort === 68 && destinationPort === 67;
}

/** Whether it is one of the packets without which there is no IPv6 on a link, whatever policies say. */
export function isNeighbourDiscovery({ protocol, icmpType }: Packet): boolean {
  return protocol === ICMPV6 && NEIGHBOUR_TYPES.includes(icmpType ?? -1);
}

/** Tunnels between nodes work whatever host endpoints say; from anybody else nothing enters them. */
export function tunnelDecision(
  settings: VerdictSettings,
  nodes: readonly WorldNode[],
  { packet, direction }: { readonly packet: Packet; readonly direction: PolicyDirection },
): { readonly verdict: Verdict; readonly reason: Reason } | undefined {
  const isIpip = settings.ipip && packet.protocol === IPIP;
  const { vxlanPort } = settings;
  const isVxlan =
    vxlanPort !== undefined && packet.protocol === UDP && packet.destinationPort === vxlanPort;
  if (!isIpip && !isVxlan) return undefined;
  const peer = direction === 'Ingress' ? packet.source : packet.destination;
  const isNode = nodes.some(({ addresses }) => addresses.some((each) => each.equals(peer)));
  if (!isNode && direction === 'Egress') return undefined;
  const what = `${isIpip ? 'IP in IP' : 'VXLAN'} ${isNode ? 'between nodes' : 'from no node'}`;
  return { verdict: isNode ? 'allow' : 'deny', reason: { type: 'built-in', what } };
}
