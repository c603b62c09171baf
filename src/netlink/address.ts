import { Address } from '../model/index.js';
import { AF_INET, AF_INET6 } from './family.js';
import type { LinkAddress } from './port.js';
import type { NetlinkRequest } from './request.js';
import {
  bytesAttribute,
  decodeAttributes,
  NLM_F_CREATE,
  NLM_F_EXCL,
  type Message,
} from './wire.js';

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const IFADDR_SIZE = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/**
 * Without duplicate address detection, which would keep an IPv6 address unusable for a second: ours
 * come from the datastore, where no two hosts hold the same one.
 */
const IFA_F_NODAD = 0x2;

/** A dump of the addresses of all links, both families. */
export function listAddressesRequest(): NetlinkRequest {
  return {
    what: 'cannot list addresses',
    type: RTM_GETADDR,
    parts: [Buffer.alloc(IFADDR_SIZE)],
  };
}

export function addAddressRequest(index: number, address: Address, prefix: number): NetlinkRequest {
  return {
    what: `cannot add ${address}/${prefix} to link ${index}`,
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    parts: addressParts(index, address, prefix),
  };
}

export function removeAddressRequest(
  index: number,
  address: Address,
  prefix: number,
): NetlinkRequest {
  return {
    what: `cannot remove ${address}/${prefix} from link ${index}`,
    type: RTM_DELADDR,
    parts: addressParts(index, address, prefix),
  };
}

function addressParts(index: number, address: Address, prefix: number): readonly Buffer[] {
  const header = Buffer.alloc(IFADDR_SIZE);
  header.writeUInt8(address.family === 4 ? AF_INET : AF_INET6, 0);
  header.writeUInt8(prefix, 1);
  header.writeUInt8(address.family === 6 ? IFA_F_NODAD : 0, 2);
  header.writeUInt32LE(index, 4);
  const bytes = address.bytes();
  return [header, bytesAttribute(IFA_LOCAL, bytes), bytesAttribute(IFA_ADDRESS, bytes)];
}

/** The address of an RTM_NEWADDR or RTM_DELADDR message; undefined for other messages. */
export function decodeAddress(message: Message): LinkAddress | undefined {
  const { type, body } = message;
  if ((type !== RTM_NEWADDR && type !== RTM_DELADDR) || body.length < IFADDR_SIZE) return undefined;
  const attributes = decodeAttributes(body, IFADDR_SIZE);
  // On a point-to-point link IFA_ADDRESS is the other side's; IPv6 has no IFA_LOCAL otherwise.
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return undefined;
  return {
    index: body.readUInt32LE(4),
    address: Address.fromBytes(bytes),
    prefix: body.readUInt8(1),
  };
}
