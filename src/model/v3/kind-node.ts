import { Type } from 'typebox';
import { Address, type Family } from '../address.js';
import { Cidr } from '../cidr.js';
import { cell, nameColumn, type Column, type Kind } from './kind.js';
import { isObject, type JsonObject } from './json.js';
import type { Problem } from './problem.js';
import { stringOf, type Resource } from './resource.js';
import { toAsNumber } from './stored-node.js';

const text = Type.Optional(Type.String());

const spec = Type.Object({
  bgp: Type.Optional(
    Type.Object(
      {
        asNumber: Type.Optional(Type.Union([Type.Integer(), Type.String()], { always: true })),
        ipv4Address: text,
        ipv6Address: text,
        ipv4IPIPTunnelAddr: text,
        routeReflectorClusterID: text,
      },
      { always: true },
    ),
  ),
  ipv4VXLANTunnelAddr: text,
  vxlanTunnelMACAddr: text,
  ipv6VXLANTunnelAddr: text,
  vxlanTunnelMACAddrV6: text,
  orchRefs: Type.Optional(
    Type.Array(Type.Object({ nodeName: text, orchestrator: Type.String({ always: true }) })),
  ),
  wireguard: Type.Optional(Type.Object({ interfaceIPv4Address: text, interfaceIPv6Address: text })),
  addresses: Type.Optional(
    Type.Array(Type.Object({ address: Type.String({ always: true }), type: text })),
  ),
  interfaces: Type.Optional(
    Type.Array(Type.Object({ name: text, addresses: Type.Optional(Type.Array(Type.String())) })),
  ),
});

const status = Type.Object({
  wireguardPublicKey: text,
  wireguardPublicKeyV6: text,
  podCIDRs: Type.Optional(Type.Array(Type.String())),
});

function bgpOf({ spec: node }: Resource): JsonObject {
  return isObject(node['bgp']) ? node['bgp'] : {};
}

function complete(resource: Resource): void {
  const bgp = bgpOf(resource);
  const asNumber = toAsNumber(bgp['asNumber']);
  if (asNumber !== undefined) bgp['asNumber'] = asNumber;
}

function check(resource: Resource): Problem[] {
  const { spec: node } = resource;
  const bgp = bgpOf(resource);
  const problems: Problem[] = [];
  if (isObject(node['bgp']) && Object.keys(bgp).length === 0) {
    const reason = 'Spec.BGP should not be empty: give it an address or leave it out';
    problems.push({ field: 'BGP', value: '{}', reason });
  }
  if (bgp['asNumber'] !== undefined && toAsNumber(bgp['asNumber']) === undefined) {
    const reason = 'an AS number is 0 to 4294967295, or two parts up to 65535 with a dot between';
    problems.push({ field: 'ASNumber', value: cell(bgp['asNumber']), reason });
  }
  return [
    ...problems,
    ...checkInterface('IPv4Address', bgp, 'ipv4Address', 4),
    ...checkInterface('IPv6Address', bgp, 'ipv6Address', 6),
    ...checkAddress('IPv4IPIPTunnelAddr', bgp, 'ipv4IPIPTunnelAddr', 4),
    ...checkAddress('RouteReflectorClusterID', bgp, 'routeReflectorClusterID', 4),
    ...checkAddress('IPv4VXLANTunnelAddr', node, 'ipv4VXLANTunnelAddr', 4),
    ...checkAddress('IPv6VXLANTunnelAddr', node, 'ipv6VXLANTunnelAddr', 6),
    ...checkMac('VXLANTunnelMACAddr', node, 'vxlanTunnelMACAddr'),
    ...checkMac('VXLANTunnelMACAddrV6', node, 'vxlanTunnelMACAddrV6'),
  ];
}

function checkInterface(
  field: string,
  object: JsonObject,
  member: string,
  family: Family,
): Problem[] {
  const value = stringOf(object, member);
  if (value === '') return [];
  const address = Cidr.tryParseInterface(value)?.address ?? Address.tryParse(value);
  if (address?.family === family) return [];
  const example = family === 4 ? '192.0.2.10/24' : '2001:db8::10/64';
  const reason = `must be an IPv${family} address, best with its length, such as ${example}`;
  return [{ field, value, reason }];
}

function checkAddress(
  field: string,
  object: JsonObject,
  member: string,
  family: Family,
): Problem[] {
  const value = stringOf(object, member);
  if (value === '' || Address.tryParse(value)?.family === family) return [];
  const example = family === 4 ? '192.0.2.10' : '2001:db8::10';
  return [{ field, value, reason: `must have the form of an IPv${family} address: ${example}` }];
}

const MAC = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i;

function checkMac(field: string, object: JsonObject, member: string): Problem[] {
  const value = stringOf(object, member);
  return value === '' || isMac(value)
    ? []
    : [{ field, value, reason: 'must be a MAC address, such as 02:42:0a:14:00:01' }];
}

/** Six bytes in hexadecimal with `:` or `-` between. */
export function isMac(value: string): boolean {
  return MAC.test(value);
}

const bgpColumn = (heading: string, member: string): Column => ({
  heading,
  value: (resource) => cell(bgpOf(resource)[member]),
});

export const nodeKind: Kind = {
  kind: 'Node',
  plural: 'nodes',
  aliases: ['no'],
  namespaced: false,
  summary: 'a host of the cluster: its addresses, AS number and labels',
  example: `apiVersion: projectcalico.org/v3
kind: Node
metadata:
  name: node1
  labels:
    rack: r1
spec:
  bgp:
    asNumber: 64512
    ipv4Address: 192.0.2.10/24
`,
  spec,
  status,
  emptyStatus: true,
  columns: [
    nameColumn,
    {
      heading: 'ASN',
      value: ({ spec: node }, { defaultAsNumber }) => {
        if (!isObject(node['bgp'])) return '';
        return cell(node['bgp']['asNumber'] ?? `(${defaultAsNumber})`);
      },
    },
    bgpColumn('IPV4', 'ipv4Address'),
    bgpColumn('IPV6', 'ipv6Address'),
  ],
  tableHeadings: ['NAME'],
  wideHeadings: ['NAME', 'ASN', 'IPV4', 'IPV6'],
  complete,
  check,
};
