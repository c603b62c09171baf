import { Address } from '../model/index.js';
import { addressFamilyOf } from './family.js';
import type { ForwardingEntry, Neighbour } from './port.js';
import type { NetlinkRequest } from './request.js';
import {
  bytesAttribute,
  decodeAttributes,
  macBytes,
  macText,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  type Message,
} from './wire.js';

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const NDMSG_SIZE = 12;
const NUD_PERMANENT = 0x80;
/** The entry is the device's own table, not that of a bridge above it. */
const NTF_SELF = 2;
const AF_BRIDGE = 7;
const NDA_DST = 1;
const NDA_LLADDR = 2;

export function replaceNeighbourRequest(index: number, entry: Neighbour): NetlinkRequest {
  return {
    what: `cannot set neighbour ${entry.address} on link ${index}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    parts: neighbourParts(index, entry),
  };
}

export function deleteNeighbourRequest(index: number, entry: Neighbour): NetlinkRequest {
  return {
    what: `cannot delete neighbour ${entry.address} on link ${index}`,
    type: RTM_DELNEIGH,
    parts: neighbourParts(index, entry),
  };
}

export function replaceForwardingRequest(index: number, entry: ForwardingEntry): NetlinkRequest {
  return {
    what: `cannot set the forwarding entry of ${entry.mac} on link ${index}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    parts: forwardingParts(index, entry),
  };
}

export function deleteForwardingRequest(index: number, entry: ForwardingEntry): NetlinkRequest {
  return {
    what: `cannot delete the forwarding entry of ${entry.mac} on link ${index}`,
    type: RTM_DELNEIGH,
    parts: forwardingParts(index, entry),
  };
}

/** A dump of the neighbours of a family on all links, or with `bridge` of all forwarding entries. */
export function listNeighboursRequest(family: 4 | 6 | 'bridge'): NetlinkRequest {
  const number = family === 'bridge' ? AF_BRIDGE : addressFamilyOf(family);
  return { what: 'cannot list neighbours', type: RTM_GETNEIGH, parts: [header(number, 0, 0)] };
}

/** The link's permanent neighbour in a message; undefined for anything else. */
export function decodeNeighbour(message: Message, index: number): Neighbour | undefined {
  const entry = decodeEntry(message, index);
  return entry === undefined || entry.bridge
    ? undefined
    : { address: entry.address, mac: entry.mac };
}

/** The same for a forwarding entry of the device's own table. */
export function decodeForwarding(message: Message, index: number): ForwardingEntry | undefined {
  const entry = decodeEntry(message, index);
  return entry?.bridge === true ? { mac: entry.mac, destination: entry.address } : undefined;
}

function decodeEntry(
  { type, body }: Message,
  index: number,
): { readonly bridge: boolean; readonly address: Address; readonly mac: string } | undefined {
  if (type !== RTM_NEWNEIGH || body.length < NDMSG_SIZE) return undefined;
  if (body.readInt32LE(4) !== index) return undefined;
  if ((body.readUInt16LE(8) & NUD_PERMANENT) === 0) return undefined;
  const attributes = decodeAttributes(body, NDMSG_SIZE);
  const address = attributes.get(NDA_DST);
  const mac = attributes.get(NDA_LLADDR);
  if (mac === undefined || (address?.length !== 4 && address?.length !== 16)) return undefined;
  return {
    bridge: body.readUInt8(0) === AF_BRIDGE,
    address: Address.fromBytes(address),
    mac: macText(mac),
  };
}

function neighbourParts(index: number, { address, mac }: Neighbour): readonly Buffer[] {
  return entryParts(header(addressFamilyOf(address.family), index, 0), address, mac);
}

function forwardingParts(index: number, entry: ForwardingEntry): readonly Buffer[] {
  return entryParts(header(AF_BRIDGE, index, NTF_SELF), entry.destination, entry.mac);
}

function entryParts(head: Buffer, address: Address, mac: string): readonly Buffer[] {
  return [
    head,
    bytesAttribute(NDA_DST, address.bytes()),
    bytesAttribute(NDA_LLADDR, macBytes(mac)),
  ];
}

/** struct ndmsg; state is always permanent. */
function header(family: number, index: number, flags: number): Buffer {
  const bytes = Buffer.alloc(NDMSG_SIZE);
  bytes.writeUInt8(family, 0);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt16LE(index === 0 ? 0 : NUD_PERMANENT, 8);
  bytes.writeUInt8(flags, 10);
  return bytes;
}
