import { messageOf } from '../base/index.js';
import { commitOrConflict, resourceKey, type CallOptions } from '../datastore/index.js';
import {
  hostInterfaceName,
  peerInterfaceName,
  workloadEndpointName,
  type WorkloadEndpoint,
} from '../model/index.js';
import { decodeWorkloadEndpoint } from '../model/v3/index.js';
import type { EndpointsContext } from './context.js';
import { withProfiles } from './endpoint-changes.js';
import type { FiledEndpoint } from './endpoint-book.js';
import type { AddressClaim } from './ports.js';
import { automaticProfile } from './profile-book.js';
import { commitOrSettle } from './settle.js';

/** An address that a container here uses and that the datastore gives to somebody else. */
export interface AddressConflict {
  readonly address: string;
  /** Who uses it here, and who holds it there. */
  readonly here: string;
  readonly there: string;
}

/** What became of the addresses and endpoints of running containers. */
export interface ClaimReport {
  /** Were missing, and stand there again. */
  readonly claimed: readonly string[];
  readonly conflicts: readonly AddressConflict[];
  /** Objects of endpoints that were missing and stand there again. */
  readonly endpoints: number;
}

export interface LoadOptions {
  readonly signal: AbortSignal;
  /** The datastore is another one than before: what it says of endpoints may be older than what is on file. */
  readonly exchanged: boolean;
}

interface Live {
  readonly filed: FiledEndpoint;
  readonly endpoint: WorkloadEndpoint;
  readonly interfaceIndex: number;
}

/**
 * Puts back what running containers of this host use and the datastore lacks: first all addresses, then the endpoints. An
 * endpoint whose address somebody else holds by now is known to this host only: in the datastore it would draw
 * the other's traffic. Writes nothing when everything stands there.
 */
export async function claimAgain(
  context: EndpointsContext,
  indexes: ReadonlyMap<string, number>,
  options: LoadOptions,
): Promise<ClaimReport> {
  const live = liveEndpoints(context, indexes);
  const claims = live.flatMap(({ filed, endpoint }) =>
    endpoint.addresses.map((address): AddressClaim & { readonly id: string } => ({
      id: filed.id,
      address,
      handle: filed.handles[String(address)],
      mac: endpoint.mac,
    })),
  );
  const outcomes = await context.leases.claimAgain(claims, options);
  const claimed = claims.flatMap(({ address }, at) =>
    outcomes[at]?.type === 'claimed' ? [String(address)] : [],
  );
  const conflicts = claims.flatMap(({ id, address }, at): AddressConflict[] => {
    const outcome = outcomes[at];
    if (outcome?.type !== 'conflict') return [];
    return [{ address: String(address), here: describe(context, live, id), there: outcome.holder }];
  });
  const contested = new Set(
    claims.filter((_, at) => outcomes[at]?.type === 'conflict').map(({ id }) => id),
  );
  let endpoints = 0;
  for (const one of live) {
    if (context.book.get(one.filed.id) !== undefined) {
      if (options.exchanged) await renewProfiles(context, one, options);
      continue;
    }
    if (contested.has(one.filed.id)) restore(context, one, 0n);
    else {
      restore(context, one, await store(context, one, options));
      endpoints += 1;
    }
  }
  for (const conflict of conflicts) {
    context.log.error(
      { ...conflict, reason: 'address-conflict' },
      `${conflict.address} is in use here and held by somebody else in the datastore`,
    );
  }
  return { claimed, conflicts, endpoints };
}

/** Writes anew the files that a version before made: it kept neither object nor handles. */
export async function completeFiles(
  { book, leases, log }: EndpointsContext,
  { signal }: LoadOptions,
): Promise<void> {
  for (const record of book.incomplete()) {
    const handles: Record<string, string> = {};
    for (const address of record.endpoint.addresses) {
      const lease = await leases.leaseOf(address, signal);
      if (lease !== undefined) handles[String(address)] = lease.handle;
    }
    try {
      book.complete({ ...record, handles });
    } catch (error) {
      log.warn({ EndpointID: record.id, error: messageOf(error) }, 'an endpoint is not on file');
    }
  }
}

/** Joined, with a host end that nobody gave up and the other end not back on the host: a container has it. */
function liveEndpoints(
  { book, veths, log }: EndpointsContext,
  indexes: ReadonlyMap<string, number>,
): readonly Live[] {
  return book.filed().flatMap((filed): Live[] => {
    const name = hostInterfaceName(filed.id);
    const interfaceIndex = veths.isGoing(name) ? 0 : (indexes.get(name) ?? 0);
    if (interfaceIndex === 0 || indexes.has(peerInterfaceName(filed.id))) return [];
    try {
      return [{ filed, endpoint: decodeWorkloadEndpoint(filed.text), interfaceIndex }];
    } catch (error) {
      log.warn(
        { EndpointID: filed.id, error: messageOf(error) },
        'the file of an endpoint is unusable',
      );
      return [];
    }
  });
}

function describe({ node }: EndpointsContext, live: readonly Live[], id: string): string {
  const containerId = live.find(({ filed }) => filed.id === id)?.endpoint.containerId ?? '';
  const what =
    containerId === '' ? `endpoint ${id.slice(0, 12)}` : `container ${containerId.slice(0, 12)}`;
  return `${what} on node ${node}`;
}

function keyOf({ node, settings }: EndpointsContext, id: string): string {
  return resourceKey('workloadendpoints', workloadEndpointName(node, id), settings.namespace);
}

function restore(context: EndpointsContext, live: Live, revision: bigint): void {
  const { filed, endpoint, interfaceIndex } = live;
  const { id, text } = filed;
  const key = keyOf(context, id);
  context.book.restore({ id, endpoint, text, interfaceIndex, revision, key });
}

/** An older object may have the profile that was used before the network's name was known. */
async function renewProfiles(
  context: EndpointsContext,
  live: Live,
  options: CallOptions,
): Promise<void> {
  const { profiles } = live.endpoint;
  const stored = context.book.get(live.filed.id);
  if (stored === undefined || stored.endpoint.profiles.join() === profiles.join()) return;
  await ensureProfile(context, live, options);
  const { key, revision } = stored;
  const text = withProfiles(stored.text, profiles);
  const transaction = { compares: [{ key, revision }], writes: [{ key, value: text }] };
  const written = await commitOrConflict(context.store, transaction, 'the endpoint', options);
  const endpoint = decodeWorkloadEndpoint(text);
  restore(context, { ...live, endpoint, filed: { ...live.filed, text } }, written);
}

/** The object as it was, with its network's profile when that is gone as well. */
async function store(context: EndpointsContext, live: Live, options: CallOptions): Promise<bigint> {
  const { filed } = live;
  await ensureProfile(context, live, options);
  const key = keyOf(context, filed.id);
  const transaction = {
    compares: [{ key, revision: 0n }],
    writes: [{ key, value: filed.text }],
    reads: [key],
  };
  const result = await commitOrSettle(
    context.store,
    (part) => context.writes.commit(part),
    transaction,
    key,
  );
  // Only this host makes it; whoever was faster was an earlier try of this one.
  return result.committed ? result.revision : (result.current.get(key)?.revision ?? 0n);
}

async function ensureProfile(
  context: EndpointsContext,
  { filed, endpoint }: Live,
  options: CallOptions,
): Promise<void> {
  const [profile] = endpoint.profiles;
  if (profile === undefined) return;
  const network = await context.networks.find(filed.networkId, options);
  const wanted = automaticProfile(profile, network?.internal ?? false);
  await context.profiles.ensure(context.store, wanted, context.clock);
}
