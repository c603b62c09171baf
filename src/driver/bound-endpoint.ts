import { sleep } from '../base/index.js';
import { peerInterfaceName, type Address } from '../model/index.js';
import { discardEndpoint, type EndpointsContext } from './context.js';
import type { EndpointRecord } from './endpoint-book.js';

/** How long a container's interface may take to vanish after its death. */
const GOING_MS = 1_000;
const GOING_STEP_MS = 50;

/** Structurally what the allocator asks for. */
export interface BoundEndpoint {
  readonly endpointId: string;
  readonly description: string;
  isLive(signal: AbortSignal): Promise<boolean>;
  evict(): Promise<{
    readonly compares: readonly { readonly key: string; readonly revision: bigint }[];
    readonly writes: readonly { readonly key: string; readonly value: null }[];
  }>;
  evicted(): void;
}
/** The endpoint that the store still binds to an address, for the allocator. */
export function boundEndpoint(
  context: EndpointsContext,
  address: Address,
): BoundEndpoint | undefined {
  const record = context.book.holding(address);
  if (record === undefined) return undefined;
  const name =
    record.endpoint.containerId === ''
      ? `endpoint ${record.id.slice(0, 12)}`
      : `container ${record.endpoint.containerId.slice(0, 12)}`;
  return {
    endpointId: record.id,
    description: `${name} on node ${record.endpoint.node}`,
    isLive: (signal) => isLive(context, record, signal),
    evict: async () => {
      await context.programmer.withdraw(record.id);
      const latest = context.book.get(record.id) ?? record;
      return {
        compares: [{ key: latest.key, revision: latest.revision }],
        writes: [{ key: latest.key, value: null }],
      };
    },
    evicted: () => discardEndpoint(context, record),
  };
}

/** A dead container's pair vanishes with its namespace, or its inner end is back on the host under its first name. */
async function isLive(
  context: EndpointsContext,
  record: EndpointRecord,
  signal: AbortSignal,
): Promise<boolean> {
  const { netlink, clock } = context;
  if (record.going) return false;
  const until = clock.monotonic() + GOING_MS;
  for (;;) {
    const link = await netlink.linkByName(record.endpoint.interfaceName);
    if (link === undefined || !link.up) return false;
    if (record.slot > 0 && (await netlink.linkByName(peerInterfaceName(record.id))) !== undefined)
      return false;
    if (clock.monotonic() >= until) return true;
    await sleep(GOING_STEP_MS, signal);
  }
}
