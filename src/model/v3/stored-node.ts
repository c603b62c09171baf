import type { Node } from '../node.js';
import { isObject, type JsonObject } from './json.js';
import {
  API_VERSION,
  assign,
  decodeKind,
  encodeResource,
  fillIdentity,
  inOrder,
  newMetadata,
  sortedMap,
  stringMapOf,
  stringOf,
  type Identity,
  type Resource,
} from './resource.js';

/** Member order of `spec` and `spec.bgp` of a Node, as Calico writes them. */
export const NODE_ORDER = [
  'bgp',
  'ipv4VXLANTunnelAddr',
  'vxlanTunnelMACAddr',
  'ipv6VXLANTunnelAddr',
  'vxlanTunnelMACAddrV6',
  'orchRefs',
  'wireguard',
  'addresses',
  'interfaces',
];
export const NODE_BGP_ORDER = [
  'asNumber',
  'ipv4Address',
  'ipv6Address',
  'ipv4IPIPTunnelAddr',
  'routeReflectorClusterID',
];

/** Says `started` or `empty` on a Node that is to be emptied; other values count as absent. */
export const DRAIN_ANNOTATION = 'calico-libnetwork/drain';

/** A Node; every member that is absent, null or empty is absent. */
export function decodeNode(value: string, where?: string): Node {
  return toNode(decodeKind('Node', value, where));
}

export function toNode(resource: Resource): Node {
  const { metadata, spec } = resource;
  const bgp = isObject(spec['bgp']) ? spec['bgp'] : {};
  const asNumber = toAsNumber(bgp['asNumber']);
  const drain = stringMapOf(metadata.annotations)[DRAIN_ANNOTATION];
  return {
    name: metadata.name,
    labels: stringMapOf(metadata.labels),
    ...(asNumber === undefined ? {} : { asNumber }),
    ...text('ipv4Address', bgp, 'ipv4Address'),
    ...text('ipv6Address', bgp, 'ipv6Address'),
    ...text('routeReflectorClusterId', bgp, 'routeReflectorClusterID'),
    ...text('ipv4IpipTunnelAddress', bgp, 'ipv4IPIPTunnelAddr'),
    ...text('ipv4VxlanTunnelAddress', spec, 'ipv4VXLANTunnelAddr'),
    ...text('ipv6VxlanTunnelAddress', spec, 'ipv6VXLANTunnelAddr'),
    ...text('vxlanTunnelMac', spec, 'vxlanTunnelMACAddr'),
    ...text('vxlanTunnelMacV6', spec, 'vxlanTunnelMACAddrV6'),
    ...(drain === 'started' || drain === 'empty' ? { drain } : {}),
  };
}

function text<K extends keyof Node>(
  name: K,
  object: JsonObject,
  member: string,
): { [P in K]?: string } {
  const value = stringOf(object, member);
  return (value === '' ? {} : { [name]: value }) as { [P in K]?: string };
}

/** An AS number in any of its stored forms: a number, decimal text, or dotted text `hi.lo`. */
export function toAsNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return isAsNumber(value) ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(?:(\d{1,5})\.)?(\d{1,10})$/.exec(value);
  if (match === null) return undefined;
  const low = Number(match[2]);
  if (match[1] === undefined) return isAsNumber(low) ? low : undefined;
  const high = Number(match[1]);
  return high <= 65_535 && low <= 65_535 ? high * 65_536 + low : undefined;
}

function isAsNumber(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

/** What to set on a Node: undefined leaves a member as it is, null takes it away. */
export interface NodeChanges {
  readonly asNumber?: number | null;
  readonly ipv4Address?: string | null;
  readonly ipv6Address?: string | null;
  readonly routeReflectorClusterId?: string | null;
  readonly ipv4IpipTunnelAddress?: string | null;
  readonly ipv4VxlanTunnelAddress?: string | null;
  readonly vxlanTunnelMac?: string | null;
  readonly ipv6VxlanTunnelAddress?: string | null;
  readonly vxlanTunnelMacV6?: string | null;
  /** Labels to set; a null value removes the label, others of the object stay. */
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly addresses?: readonly { readonly address: string; readonly type?: string }[] | null;
  readonly interfaces?:
    readonly { readonly name: string; readonly addresses: readonly string[] }[] | null;
}

/** A new Node. */
export function encodeNode(name: string, changes: NodeChanges, identity: Identity): string {
  const resource: Resource = {
    kind: 'Node',
    apiVersion: API_VERSION,
    metadata: newMetadata(name, identity),
    spec: {},
    status: {},
  };
  return encodeResource(applyChanges(resource, changes));
}

/**
 * A stored Node with some members changed and all others kept, those that this program does not
 * know included. Returns the same text only if nothing that matters differs; compare before writing.
 */
export function updateNode(previous: string, changes: NodeChanges, identity?: Identity): string {
  const resource = decodeKind('Node', previous);
  if (identity !== undefined) fillIdentity(resource.metadata, identity);
  return encodeResource(applyChanges(resource, changes));
}

function applyChanges(resource: Resource, changes: NodeChanges): Resource {
  const bgp: JsonObject = isObject(resource.spec['bgp']) ? { ...resource.spec['bgp'] } : {};
  assign(bgp, {
    asNumber: changes.asNumber,
    ipv4Address: changes.ipv4Address,
    ipv6Address: changes.ipv6Address,
    ipv4IPIPTunnelAddr: changes.ipv4IpipTunnelAddress,
    routeReflectorClusterID: changes.routeReflectorClusterId,
  });
  const spec: JsonObject = { ...resource.spec };
  assign(spec, {
    // Calico's validation refuses an empty bgp object, so it goes with its last member.
    bgp: Object.keys(bgp).length === 0 ? null : inOrder(bgp, NODE_BGP_ORDER),
    ipv4VXLANTunnelAddr: changes.ipv4VxlanTunnelAddress,
    vxlanTunnelMACAddr: changes.vxlanTunnelMac,
    ipv6VXLANTunnelAddr: changes.ipv6VxlanTunnelAddress,
    vxlanTunnelMACAddrV6: changes.vxlanTunnelMacV6,
    addresses: changes.addresses,
    interfaces: changes.interfaces,
  });
  const metadata = { ...resource.metadata };
  if (changes.labels !== undefined) {
    const labels: JsonObject = { ...stringMapOf(metadata.labels) };
    assign(labels, { ...changes.labels });
    metadata.labels = sortedMap(stringMapOf(labels));
  }
  return { ...resource, metadata, spec: inOrder(spec, NODE_ORDER) };
}
