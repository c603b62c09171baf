import type { Address, Cidr, Family } from '../model/index.js';

/** Key space of Calico v3 on etcd (datamodel §0.1) and our own records (architecture §5). */
export const ROOT = '/calico/';
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const IPAM = '/calico/ipam/v2';
const DOCKER = '/calico/docker/v1';

export const resourceKey = (plural: string, name: string, namespace?: string): string =>
  namespace === undefined
    ? `${RESOURCES}/${plural}/${name}`
    : `${RESOURCES}/${plural}/${namespace}/${name}`;
/** Ends with `/`, so that it is safe as a range prefix. */
export const resourcePrefix = (plural: string, namespace?: string): string =>
  namespace === undefined ? `${RESOURCES}/${plural}/` : `${RESOURCES}/${plural}/${namespace}/`;

export const ipamConfigKey = `${IPAM}/config`;
export const blockPrefix = (family: Family): string => `${IPAM}/assignment/ipv${family}/block/`;
export const blockKey = (cidr: Cidr): string => `${blockPrefix(cidr.family)}${cidrSegment(cidr)}`;
export const affinityPrefix = (node: string, family: Family): string =>
  `${IPAM}/host/${node}/ipv${family}/block/`;
export const affinityKey = (node: string, cidr: Cidr): string =>
  `${affinityPrefix(node, cidr.family)}${cidrSegment(cidr)}`;
export const allAffinitiesPrefix = `${IPAM}/host/`;
export const handlePrefix = `${IPAM}/handle/`;
export const handleKey = (handle: string): string => `${handlePrefix}${handle}`;

export const networkRecordPrefix = `${DOCKER}/networks/`;
export const networkRecordKey = (clusterId: string): string => `${networkRecordPrefix}${clusterId}`;
export const keptAddressPrefix = `${DOCKER}/kept/`;
export const keptAddressKey = (address: Address): string => `${keptAddressPrefix}${address}`;
export const hostRecordPrefix = `${DOCKER}/hosts/`;
export const hostRecordKey = (node: string): string => `${hostRecordPrefix}${node}`;
/** Raised by the host alone, after it wrote something: a lower one than it knows shows a datastore that went back. */
export const hostCountKey = (node: string): string => `${DOCKER}/counts/${node}`;
/** Held by a lease: who uses the node name now. */
export const nodeHoldKey = (node: string): string => `${DOCKER}/holds/${node}`;

/** The folder that tells what a key holds: `assignment`, `handle`, `workloadendpoints`, `networks` … */
export function kindOfKey(key: string): string {
  const parts = key.split('/');
  return parts[parts[2] === 'resources' ? 5 : 4] ?? '';
}

/** `10.0.0.0-26`, the form of a CIDR inside an IPAM key. */
export function cidrSegment(cidr: Cidr): string {
  return `${cidr.base}-${cidr.prefix}`;
}
