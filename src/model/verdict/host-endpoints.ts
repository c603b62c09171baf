import { Address, Cidr, type HostEndpoint } from '../index.js';
import { protocolNumber } from './protocol-number.js';
import type { FailsafePort, Packet, World } from './world.js';

/** An interface of a host that is no container's. */
export interface HostInterface {
  readonly name: string;
  readonly addresses: readonly Address[];
}

const LOOPBACK = 'lo';

/**
 * The host endpoint of an interface: one that names it, or one without interface that expects one of
 * its addresses, of several the first by name; else the one for all interfaces (node-agent §5.6).
 */
export function hostEndpointOf(
  world: World,
  node: string,
  host: HostInterface,
): HostEndpoint | undefined {
  const own = world.hostEndpoints
    .filter((each) => each.node === node)
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const holds = ({ expectedIPs }: HostEndpoint): boolean =>
    expectedIPs.some((text) => {
      const expected = Address.tryParse(text);
      return host.addresses.some((address) => expected?.equals(address) === true);
    });
  const speaksFor = (each: HostEndpoint): boolean =>
    each.interfaceName === undefined ? holds(each) : each.interfaceName === host.name;
  const found = own.find(speaksFor);
  if (found !== undefined || host.name === LOOPBACK) return found;
  return own.find(({ interfaceName }) => interfaceName === '*');
}

/** The failsafe port that a packet to or from the host uses; undefined when it uses none. */
export function failsafePort(
  ports: readonly FailsafePort[],
  packet: Packet,
  peer: Address,
): number | undefined {
  const number = packet.destinationPort;
  return ports.find(
    ({ protocol, port, net }) =>
      protocolNumber(protocol) === packet.protocol &&
      port === number &&
      (net === undefined || Cidr.tryParse(net)?.contains(peer) === true),
  )?.port;
}

/** Untracked replies have no state: the failsafe ports of the other direction let them back. */
export function isFailsafeReply(
  ports: readonly FailsafePort[],
  packet: Packet,
  peer: Address,
): boolean {
  const { sourcePort, destinationPort: _port, ...rest } = packet;
  const reverse = sourcePort === undefined ? rest : { ...rest, destinationPort: sourcePort };
  return failsafePort(ports, reverse, peer) !== undefined;
}
