import { Fault, orAbort, sleep } from '../base/index.js';
import { hostInterfaceName, peerInterfaceName, type Address } from '../model/index.js';
import { discardEndpoint, isReplaced, type EndpointsContext } from './context.js';
import type { EndpointRecord, StrayEndpoint } from './endpoint-book.js';

/** How long a container's interface may take to vanish after its death. */
const GOING_MS = 1_000;
const GOING_STEP_MS = 50;

/** What has to be committed for an endpoint to give way. */
export interface Eviction {
  readonly compares: readonly { readonly key: string; readonly revision: bigint }[];
  readonly writes: readonly { readonly key: string; readonly value: null }[];
}

/** Structurally what the allocator asks for. */
export interface BoundEndpoint {
  readonly endpointId: string;
  readonly description: string;
  isLive(signal: AbortSignal): Promise<boolean>;
  evict(): Promise<Eviction>;
  evicted(): void;
}

/** The endpoint of this host that has an address, be it known to the store or only to the kernel. */
export function boundEndpoint(
  context: EndpointsContext,
  address: Address,
): BoundEndpoint | undefined {
  const { book, programmer, veths } = context;
  const record = book.holding(address);
  if (record === undefined) {
    const creation = context.creations.holding(address);
    if (creation !== undefined) return boundToBe(context, address, creation);
  } else {
    return {
      endpointId: record.id,
      description: describe(record),
      isLive: (signal) =>
        record.going ? Promise.resolve(false) : isLive(context, record.id, record.slot > 0, signal),
      evict: () => evict(context, record),
      evicted: () => discardEndpoint(context, record),
    };
  }
  const stray = book.strayWith(address);
  if (stray === undefined) return undefined;
  return {
    endpointId: stray.id,
    description: `endpoint ${stray.id.slice(0, 12)} on this host, whose object is gone from the datastore`,
    isLive: (signal) => isLive(context, stray.id, true, signal),
    evict: async () => {
      await programmer.withdraw(stray.id);
      return { compares: [], writes: [] };
    },
    evicted: () => buryStray({ book, veths }, stray),
  };
}

/** An endpoint that a call is making with the address: what it will be is known when that has ended. */
function boundToBe(
  context: EndpointsContext,
  address: Address,
  { id, ended }: { readonly id: string; readonly ended: Promise<void> },
): BoundEndpoint {
  // Not the next one that is being made: its commit puts the handle, and the release is decided again.
  const made = (): BoundEndpoint | undefined =>
    context.book.holding(address) === undefined ? undefined : boundEndpoint(context, address);
  return {
    endpointId: id,
    description: `endpoint ${id.slice(0, 12)} on this host, which is being made`,
    isLive: async (signal) => {
      await orAbort(ended, signal, 'the creation of an endpoint with this address');
      return (await made()?.isLive(signal)) ?? false;
    },
    evict: async () => (await made()?.evict()) ?? { compares: [], writes: [] },
    evicted: () => made()?.evicted(),
  };
}

function describe({ id, endpoint }: EndpointRecord): string {
  const { containerId, node } = endpoint;
  const what =
    containerId === '' ? `endpoint ${id.slice(0, 12)}` : `container ${containerId.slice(0, 12)}`;
  return `${what} on node ${node}`;
}

/** Routes and policy go first. The object is read, because others may have changed or removed it since. */
export async function evict(context: EndpointsContext, record: EndpointRecord): Promise<Eviction> {
  if (isReplaced(context, record))
    throw new Fault('conflict', `endpoint ${record.id.slice(0, 12)} was made anew meanwhile`, {
      reason: 'endpoint-changed',
    });
  await context.programmer.withdraw(record.id);
  const entry = await context.store.get(record.key);
  const compares = [{ key: record.key, revision: entry?.revision ?? 0n }];
  return { compares, writes: entry === undefined ? [] : [{ key: record.key, value: null }] };
}

/** An older endpoint of the address gives way only if no container has it. */
export async function giveWay(
  context: EndpointsContext,
  other: EndpointRecord,
  signal: AbortSignal,
): Promise<Eviction> {
  const live = !other.going && (await isLive(context, other.id, other.slot > 0, signal));
  if (!live) return evict(context, other);
  throw new Fault(
    'exists',
    `${other.endpoint.addresses.join(', ')} is in use by the running endpoint ${other.id.slice(0, 12)}; remove that container first`,
    {
      reason: 'address-taken',
    },
  );
}

/** The pair of an endpoint that the store does not know goes, and so does its file. */
export function buryStray(
  { book, veths }: Pick<EndpointsContext, 'book' | 'veths'>,
  stray: StrayEndpoint,
): void {
  if (stray.interfaceIndex > 0) veths.bury(hostInterfaceName(stray.id), stray.interfaceIndex);
  book.removeStray(stray.id);
}

/** A dead container's pair vanishes with its namespace, or its inner end is back on the host under its first name. */
export async function isLive(
  context: EndpointsContext,
  id: string,
  joined: boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  const { netlink, clock, book } = context;
  const until = clock.monotonic() + GOING_MS;
  for (;;) {
    const link = await netlink.linkByName(hostInterfaceName(id));
    if (link === undefined || !link.up) return false;
    if (joined && (await netlink.linkByName(peerInterfaceName(id))) !== undefined) return false;
    // Still on the host: no container ever had it, and the Join that would have come is not coming.
    if (clock.monotonic() >= until) return joined || (book.get(id)?.slot ?? 0) > 0;
    await sleep(GOING_STEP_MS, signal);
  }
}
