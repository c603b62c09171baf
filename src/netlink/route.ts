import { Address, Cidr, type Family } from '../model/index.js';
import { addressFamilyOf, AF_INET, AF_INET6 } from './family.js';
import { hasDevice, storedMetric } from './listed-route.js';
import type { Route, RouteType } from './port.js';
import type { NetlinkRequest } from './request.js';
import {
  bytesAttribute,
  decodeAttributes,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  numberAttribute,
  numberOf,
  type Attributes,
  type Message,
} from './wire.js';

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const RTMSG_SIZE = 12;
const MAIN_TABLE = 254;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTM_F_CLONED = 0x200;
const RTNH_F_ONLINK = 4;
/** In a delete: whatever the scope. */
const SCOPE_NOWHERE = 255;

const scopes: Readonly<Record<Route['scope'], number>> = { universe: 0, link: 253, host: 254 };
const types: Readonly<Record<RouteType, number>> = {
  unicast: 1,
  local: 2,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
};
const typeNames: ReadonlyMap<number, RouteType> = new Map(
  (Object.entries(types) as [RouteType, number][]).map(([name, number]) => [number, name]),
);

/** A dump of the family's routes in all tables; `decodeRoute` keeps those of the main one. */
export function listRoutesRequest(family: Family): NetlinkRequest {
  const header = Buffer.alloc(RTMSG_SIZE);
  header.writeUInt8(addressFamilyOf(family), 0);
  return { what: `cannot list IPv${family} routes`, type: RTM_GETROUTE, parts: [header] };
}

export function replaceRouteRequest(route: Route): NetlinkRequest {
  return newRouteRequest(route, NLM_F_CREATE | NLM_F_REPLACE);
}

export function addRouteRequest(route: Route): NetlinkRequest {
  return newRouteRequest(route, NLM_F_CREATE | NLM_F_EXCL);
}

function newRouteRequest(route: Route, flags: number): NetlinkRequest {
  return {
    what: `cannot set route ${route.destination}`,
    type: RTM_NEWROUTE,
    flags,
    parts: [
      routeHeader(route, scopes[route.scope], types[route.type]),
      ...keyAttributes(route),
      ...(route.gateway === undefined ? [] : [gatewayAttribute(route.destination, route.gateway)]),
    ],
  };
}

/**
 * Names destination, metric, device and protocol: the kernel takes what is not named as "any", and
 * a stranger's route of the same destination must stay. (An IPv4 route without a metric cannot be
 * told from one with: of several by one protocol the lowest metric goes, which is the one without.)
 */
export function deleteRouteRequest(route: Route): NetlinkRequest {
  return {
    what: `cannot delete route ${route.destination}`,
    type: RTM_DELROUTE,
    parts: [routeHeader(route, SCOPE_NOWHERE, 0), ...keyAttributes(route)],
  };
}

/** The main table's route of an RTM_NEWROUTE or RTM_DELROUTE message; undefined for all others. */
export function decodeRoute(message: Message): Route | undefined {
  const { type, body } = message;
  if ((type !== RTM_NEWROUTE && type !== RTM_DELROUTE) || body.length < RTMSG_SIZE)
    return undefined;
  const family = familyOf(body.readUInt8(0));
  const routeType = typeNames.get(body.readUInt8(7));
  if (family === undefined || routeType === undefined) return undefined;
  if ((body.readUInt32LE(8) & RTM_F_CLONED) !== 0) return undefined;
  const attributes = decodeAttributes(body, RTMSG_SIZE);
  if ((numberOf(attributes.get(RTA_TABLE)) ?? body.readUInt8(4)) !== MAIN_TABLE) return undefined;
  const gateway = gatewayOf(attributes);
  const metric = numberOf(attributes.get(RTA_PRIORITY)) ?? 0;
  const device = numberOf(attributes.get(RTA_OIF));
  return {
    destination: destinationOf(family, attributes, body.readUInt8(1)),
    type: routeType,
    protocol: body.readUInt8(5),
    scope: scopeOf(body.readUInt8(6)),
    // IPv6 lists blackholes on lo, where nobody put them.
    ...(device === undefined || !hasDevice(routeType) ? {} : { interfaceIndex: device }),
    ...(gateway === undefined ? {} : { gateway }),
    ...((body.readUInt32LE(8) & RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
    ...(metric === 0 ? {} : { metric }),
  };
}

function routeHeader(route: Route, scope: number, type: number): Buffer {
  const header = Buffer.alloc(RTMSG_SIZE);
  header.writeUInt8(addressFamilyOf(route.destination.family), 0);
  header.writeUInt8(route.destination.prefix, 1);
  header.writeUInt8(MAIN_TABLE, 4);
  header.writeUInt8(route.protocol, 5);
  header.writeUInt8(scope, 6);
  header.writeUInt8(type, 7);
  header.writeUInt32LE(route.onlink === true ? RTNH_F_ONLINK : 0, 8);
  return header;
}

function keyAttributes(route: Route): readonly Buffer[] {
  const { destination, interfaceIndex } = route;
  const metric = storedMetric(route);
  return [
    bytesAttribute(RTA_DST, destination.base.bytes()),
    ...(metric === undefined ? [] : [numberAttribute(RTA_PRIORITY, metric)]),
    ...(interfaceIndex === undefined || !hasDevice(route.type)
      ? []
      : [numberAttribute(RTA_OIF, interfaceIndex)]),
  ];
}

/** An IPv4 route may go through an IPv6 neighbour; that takes another attribute. */
function gatewayAttribute(destination: Cidr, gateway: Address): Buffer {
  if (gateway.family === destination.family) return bytesAttribute(RTA_GATEWAY, gateway.bytes());
  const family = Buffer.alloc(2);
  family.writeUInt16LE(addressFamilyOf(gateway.family));
  return bytesAttribute(RTA_VIA, Buffer.concat([family, gateway.bytes()]));
}

function gatewayOf(attributes: Attributes): Address | undefined {
  const bytes = attributes.get(RTA_GATEWAY) ?? attributes.get(RTA_VIA)?.subarray(2);
  return bytes?.length === 4 || bytes?.length === 16 ? Address.fromBytes(bytes) : undefined;
}

function destinationOf(family: Family, attributes: Attributes, prefix: number): Cidr {
  // A default route carries no destination.
  const bytes = attributes.get(RTA_DST) ?? Buffer.alloc(family === 4 ? 4 : 16);
  return Cidr.of(Address.fromBytes(bytes), prefix);
}

function familyOf(number: number): Family | undefined {
  if (number === AF_INET) return 4;
  return number === AF_INET6 ? 6 : undefined;
}

function scopeOf(number: number): Route['scope'] {
  if (number === scopes.link) return 'link';
  return number === scopes.host ? 'host' : 'universe';
}
