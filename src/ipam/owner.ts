import type { BlockAttribute } from '../model/index.js';
import { blockAttribute } from '../model/v3/index.js';

/** Who this daemon is, as written into each address that it takes. */
export interface Host {
  readonly node: string;
  /** Made once per machine, kept in the state folder: two machines of one node name differ in it. */
  readonly uuid: string;
}

const ENDPOINT_HANDLE = /^docker\.(.+)\.[0-9a-f]{32}$/;
const POOL_HANDLE = 'docker-pool.';

export const endpointHandle = (node: string, random: string): string => `docker.${node}.${random}`;
export const poolHandle = (poolId: string): string => `${POOL_HANDLE}${poolId}`;
/** Begins every handle of gateway and auxiliary addresses. */
export const poolHandlePrefix = POOL_HANDLE;
export const isPoolHandle = (handle: string | undefined): boolean =>
  handle?.startsWith(POOL_HANDLE) === true;
export const isEndpointHandle = (handle: string | undefined): boolean =>
  handle !== undefined && ENDPOINT_HANDLE.test(handle);

/** The attribute of an address: short, because a block is rewritten whole on every claim. */
export function ownedAttribute(
  host: Host,
  handle: string,
  mac: string,
  nowMs: number,
): BlockAttribute {
  return blockAttribute(handle, {
    node: host.node,
    host: host.uuid,
    ...(mac === '' ? {} : { mac }),
    timestamp: new Date(nowMs).toISOString(),
  });
}

/** True when the slot was taken by this very machine; other writers' addresses are never touched. */
export function isOurs(attribute: BlockAttribute, host: Host): boolean {
  return attribute.secondary['host'] === host.uuid && attribute.secondary['node'] === host.node;
}

/** Who holds an address, for messages: node, endpoint's MAC, since when. */
export function describeHolder(attribute: BlockAttribute): string {
  const { node, timestamp, mac, type } = attribute.secondary;
  if (attribute.releasedAt !== undefined)
    return `nobody, it cools down since ${attribute.releasedAt}`;
  const parts = [
    isPoolHandle(attribute.handle)
      ? 'a network (gateway or auxiliary address)'
      : (type ?? 'an endpoint'),
    node === undefined ? 'of an unknown node' : `on node ${node}`,
    ...(mac === undefined ? [] : [`MAC ${mac}`]),
    ...(timestamp === undefined ? [] : [`since ${timestamp}`]),
  ];
  return parts.join(', ');
}
