import type { Link, LinkChange, VethSpec } from './port.js';
import type { NetlinkRequest } from './request.js';
import {
  bytesAttribute,
  decodeAttributes,
  macBytes,
  macText,
  nest,
  NLM_F_CREATE,
  NLM_F_ECHO,
  NLM_F_EXCL,
  numberAttribute,
  numberOf,
  textAttribute,
  textOf,
  type Message,
} from './wire.js';
import { decodeVxlan } from './vxlan.js';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

const IFINFO_SIZE = 16;
export const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x1_0000;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINKINFO = 18;
const IFLA_GROUP = 27;
const IFLA_EXT_MASK = 29;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
/** Statistics are most of a link message, and nobody here reads them. */
const RTEXT_FILTER_SKIP_STATS = 8;

const wanted: ReadonlySet<number> = new Set([
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_MTU,
  IFLA_LINKINFO,
  IFLA_GROUP,
]);

/**
 * One message that makes both ends and sets the host end up. One queue each: newer kernels give a
 * veth as many as there are CPUs, and making them is most of its cost.
 */
export function createVethRequest(spec: VethSpec): NetlinkRequest {
  const { host, peer, mtu } = spec;
  const peerEnd = Buffer.concat([linkHeader(), ...endAttributes(peer.name, peer.mac, mtu)]);
  return {
    what: `cannot create veth pair ${host.name} and ${peer.name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO,
    parts: [
      linkHeader(0, IFF_UP, IFF_UP),
      ...endAttributes(host.name, host.mac, mtu),
      nest(
        IFLA_LINKINFO,
        textAttribute(IFLA_INFO_KIND, 'veth'),
        nest(IFLA_INFO_DATA, bytesAttribute(VETH_INFO_PEER, peerEnd)),
      ),
    ],
  };
}

export function getLinkRequest(name: string): NetlinkRequest {
  return {
    what: `cannot look up link ${name}`,
    type: RTM_GETLINK,
    parts: [linkHeader(), textAttribute(IFLA_IFNAME, name), withoutStatistics()],
  };
}

export function getLinkByIndexRequest(index: number): NetlinkRequest {
  return {
    what: `cannot look up link ${index}`,
    type: RTM_GETLINK,
    parts: [linkHeader(index), withoutStatistics()],
  };
}

/** A dump of all links. */
export function listLinksRequest(): NetlinkRequest {
  return {
    what: 'cannot list links',
    type: RTM_GETLINK,
    parts: [linkHeader(), withoutStatistics()],
  };
}

export function setLinkRequest(index: number, change: LinkChange): NetlinkRequest {
  const { up, group, mtu, mac } = change;
  return {
    what: `cannot change link ${index}`,
    type: RTM_SETLINK,
    parts: [
      linkHeader(index, up === true ? IFF_UP : 0, up === undefined ? 0 : IFF_UP),
      ...(group === undefined ? [] : [numberAttribute(IFLA_GROUP, group)]),
      ...(mtu === undefined ? [] : [numberAttribute(IFLA_MTU, mtu)]),
      ...(mac === undefined ? [] : [bytesAttribute(IFLA_ADDRESS, macBytes(mac))]),
    ],
  };
}

export function deleteLinkRequest(index: number): NetlinkRequest {
  return { what: `cannot delete link ${index}`, type: RTM_DELLINK, parts: [linkHeader(index)] };
}

/** Deletes every link of the group in one go, or none when one of them cannot be deleted. */
export function deleteGroupRequest(group: number): NetlinkRequest {
  return {
    what: `cannot delete link group ${group}`,
    type: RTM_DELLINK,
    parts: [linkHeader(), numberAttribute(IFLA_GROUP, group)],
  };
}

/** The link of an RTM_NEWLINK or RTM_DELLINK message; undefined when it tells of something else. */
export function decodeLink(message: Message): Link | undefined {
  const { type, body } = message;
  if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || body.length < IFINFO_SIZE) return undefined;
  // Bridges tell of their ports in messages of the same type with their own address family.
  if (body.readUInt8(0) !== 0) return undefined;
  const flags = body.readUInt32LE(8);
  const attributes = decodeAttributes(body, IFINFO_SIZE, wanted);
  const info = attributes.get(IFLA_LINKINFO);
  const details = info === undefined ? undefined : decodeAttributes(info);
  const kind = textOf(details?.get(IFLA_INFO_KIND));
  const vxlan = kind === 'vxlan' ? decodeVxlan(details?.get(IFLA_INFO_DATA)) : undefined;
  return {
    index: body.readInt32LE(4),
    name: textOf(attributes.get(IFLA_IFNAME)),
    kind,
    mac: macText(attributes.get(IFLA_ADDRESS)),
    mtu: numberOf(attributes.get(IFLA_MTU)) ?? 0,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_LOWER_UP) !== 0,
    group: numberOf(attributes.get(IFLA_GROUP)) ?? 0,
    ...(vxlan === undefined ? {} : { vxlan }),
  };
}

/** struct ifinfomsg: flags count only where `change` has their bit. */
export function linkHeader(index = 0, flags = 0, change = 0): Buffer {
  const header = Buffer.alloc(IFINFO_SIZE);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

function endAttributes(name: string, mac: string | undefined, mtu: number): readonly Buffer[] {
  return [
    textAttribute(IFLA_IFNAME, name),
    ...(mac === undefined ? [] : [bytesAttribute(IFLA_ADDRESS, macBytes(mac))]),
    numberAttribute(IFLA_MTU, mtu),
    numberAttribute(IFLA_NUM_TX_QUEUES, 1),
    numberAttribute(IFLA_NUM_RX_QUEUES, 1),
  ];
}

function withoutStatistics(): Buffer {
  return numberAttribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}
