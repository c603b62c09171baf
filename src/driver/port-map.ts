import { Fault } from '../base/index.js';
import { Address, type PortBinding, type PortProtocol } from '../model/index.js';

const PORT_MAP = 'com.docker.network.portmap';
const LOOPBACK6 = Address.parse('::1');
const PROTOCOLS: Readonly<Record<number, PortProtocol>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** The ports that a call asks to publish (plugin protocol §2.3). Fault `invalid` for what Docker does not send. */
export function readPortMap(
  options: Readonly<Record<string, unknown>> | null | undefined,
): readonly PortBinding[] {
  const map = options?.[PORT_MAP];
  if (map === undefined || map === null) return [];
  if (!Array.isArray(map)) throw bad('is no list');
  // The same twice would be in its own way.
  return [...new Map(map.map(readBinding).map((one) => [JSON.stringify(one), one])).values()];
}

function readBinding(entry: unknown): PortBinding {
  const fields = typeof entry === 'object' && entry !== null ? entry : {};
  const of = (name: string): unknown => (fields as Record<string, unknown>)[name];
  const protocol = PROTOCOLS[numberOf(of('Proto'), 255)];
  if (protocol === undefined) throw bad('has a protocol that is not TCP, UDP or SCTP');
  const port = numberOf(of('Port'), 65_535);
  const hostPort = numberOf(of('HostPort') ?? 0, 65_535);
  const hostPortEnd = numberOf(of('HostPortEnd') ?? 0, 65_535) || hostPort;
  if (port === 0) throw bad('names no port of the container');
  if (hostPortEnd < hostPort) throw bad('has a range that ends before it begins');
  return { protocol, port, hostAddress: addressOf(of('HostIP')), hostPort, hostPortEnd };
}

function numberOf(value: unknown, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most)
    return value;
  throw bad('has a number that is none of a port or protocol');
}

/** Docker's words for all addresses become none. */
function addressOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return '';
  const address = typeof value === 'string' ? Address.tryParse(value) : undefined;
  if (address === undefined) throw bad('has a host address that is none');
  // No packet of this host's loopback is translated: the kernel would not let it out (node-agent §4.3).
  if (address.equals(LOOPBACK6)) throw bad('has host address ::1, whose ports lead nowhere');
  return String(address);
}

function bad(what: string): Fault {
  return new Fault('invalid', `${PORT_MAP} ${what}`, { reason: 'bad-port-map' });
}
