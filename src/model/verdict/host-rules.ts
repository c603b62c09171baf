import { Cidr, type PolicyDirection } from '../index.js';
import type { Reason, Verdict } from './decision.js';
import type { Packet, Workload, World } from './world.js';

const ICMP = 1;
const IPIP = 4;
const UDP = 17;
const ICMPV6 = 58;
const VXLAN_PORT = 4789;
const REDIRECT = 5;
const ROUTER_ADVERTISEMENT = 134;
const REDIRECT_V6 = 137;
const LINK_LOCAL = Cidr.parse('fe80::/10');

/** What no container may send, whatever its policies say (node-agent §5.1 and §5.7); in words. */
export function forgery(packet: Packet, workload: Workload): string | undefined {
  const { protocol, icmpType, source } = packet;
  if (protocol === ICMPV6 && (icmpType === ROUTER_ADVERTISEMENT || icmpType === REDIRECT_V6)) {
    return 'router advertisements and redirects from containers are dropped';
  }
  if (protocol === ICMP && icmpType === REDIRECT) return 'redirects from containers are dropped';
  const own = [...workload.addresses, ...(workload.otherAddresses ?? [])];
  // A link-local source cannot leave its link.
  if (!LINK_LOCAL.contains(source) && !own.some((address) => address.equals(source))) {
    return `source address ${source} is not of this endpoint`;
  }
  if (protocol === IPIP) return 'IP in IP from containers is dropped';
  if (protocol === UDP && packet.destinationPort === VXLAN_PORT) {
    return 'VXLAN from containers is dropped';
  }
  return undefined;
}

/** Tunnels between nodes work whatever host endpoints say; from anybody else nothing enters them. */
export function tunnelDecision(
  { settings, nodes }: World,
  packet: Packet,
  direction: PolicyDirection,
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
