import { Fault, messageOf, type Clock, type Log } from '../base/index.js';
import { ConflictFault, type Entry, type Store } from '../datastore/index.js';
import type { Netlink } from '../netlink/index.js';
import type { Creations } from './creations.js';
import type { EndpointBook, EndpointRecord } from './endpoint-book.js';
import type { Networks } from './networks.js';
import type { AddressLeases, EndpointProgrammer, NetworkNames, PoolRequests } from './ports.js';
import type { ProfileBook } from './profile-book.js';
import type { Veths } from './veth.js';
import type { WriteQueue } from './write-queue.js';

export interface EndpointSettings {
  /** Calico namespace of the endpoints. */
  readonly namespace: string;
  /** Name of the interface in the container, before its number. */
  readonly interfacePrefix: string;
  /** 0: 1500. */
  readonly vethMtu: number;
}

/** Everything that the calls of an endpoint share. */
export interface EndpointsContext {
  readonly store: Store;
  readonly node: string;
  readonly hostUuid: string;
  readonly settings: EndpointSettings;
  readonly networks: Networks;
  readonly book: EndpointBook;
  readonly creations: Creations;
  readonly profiles: ProfileBook;
  readonly writes: WriteQueue;
  readonly veths: Veths;
  readonly netlink: Netlink;
  readonly programmer: EndpointProgrammer;
  readonly names: NetworkNames;
  readonly leases: AddressLeases;
  readonly pools: PoolRequests;
  /** Writes down that the endpoint has to be deleted: whether it is stored was never learnt. */
  rememberDeletion(endpointId: string): Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a failed compare of an endpoint's commit becomes, for `retryOnConflict`. */
export function endpointConflict(current: ReadonlyMap<string, Entry | undefined>): ConflictFault {
  return new ConflictFault('the endpoint was changed by somebody else meanwhile', current);
}

/** An endpoint that gave way: its record and interface go, and what a Join made of it meanwhile. */
export function discardEndpoint(context: EndpointsContext, record: EndpointRecord): void {
  const { book, veths } = context;
  if (isReplaced(context, record)) return;
  if (record.interfaceIndex > 0) veths.bury(record.endpoint.interfaceName, record.interfaceIndex);
  book.remove(record.id);
  void withdraw(context, record.id);
}

/** Takes routes and policy away; what stays is logged, for the agent no longer wants it and goes on trying. */
export function withdraw({ programmer, log }: EndpointsContext, id: string): Promise<void> {
  return programmer.withdraw(id).catch((error: unknown) => {
    log.warn(
      { EndpointID: id, error: messageOf(error) },
      'routes or policy of a removed endpoint are still there',
    );
  });
}

/** The endpoint that was looked at has gone, and one of the same ID was made since. */
export function isReplaced({ book }: EndpointsContext, record: EndpointRecord): boolean {
  const now = book.get(record.id);
  return now !== undefined && now.interfaceIndex !== record.interfaceIndex;
}

/**
 * Throws `refused` when the endpoint is of another network: the call would take a running container's interface for its
 * own. Of one whose file is gone nobody knows the network.
 */
export function requireNetwork({ id, networkId }: EndpointRecord, wanted: string): void {
  if (networkId === '' || networkId === wanted) return;
  throw new Fault(
    'refused',
    `endpoint ${id.slice(0, 12)} belongs to network ${networkId.slice(0, 12)}, not to ${wanted.slice(0, 12)}; start the container again`,
    { reason: 'other-network' },
  );
}
