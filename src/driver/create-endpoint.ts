import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { abortFault, deadline, isFault, messageOf } from '../base/index.js';
import { handleKey, resourceKey, retryOnConflict, type Transaction } from '../datastore/index.js';
import type { Profile } from '../model/index.js';
import { encodeWorkloadEndpoint, type Identity } from '../model/v3/index.js';
import { giveWay } from './bound-endpoint.js';
import {
  discardEndpoint,
  endpointConflict,
  requireNetwork,
  withdraw,
  type EndpointsContext,
} from './context.js';
import { nameLearnt } from './endpoint-changes.js';
import type { EndpointRecord } from './endpoint-book.js';
import {
  wantedAddresses,
  localEndpointOf,
  planEndpoint,
  readMtu,
  reloaded,
  type EndpointPlan,
} from './plan-endpoint.js';
import type { AddressLease } from './ports.js';
import type { CreateEndpointBody } from './schema.js';
import { commitOrSettle } from './settle.js';

/** Which machine made the endpoint: what it left over may be freed by no other. */
export const HOST_ANNOTATION = 'calico-libnetwork/host';

/** Bound of taking an endpoint back that was stored after its call had ended. */
const UNDO_MS = 5_000;
const DEFAULT_MTU = 1500;
const ATTEMPTS = 20;

export interface CreatedInterface {
  readonly Interface: { readonly MacAddress?: string };
}

/** CreateEndpoint; a repeated call has the answer of the first, also while that one is under way. */
export async function createEndpoint(
  context: EndpointsContext,
  body: CreateEndpointBody,
  signal: AbortSignal,
): Promise<CreatedInterface> {
  const { book, creations } = context;
  const id = body.EndpointID;
  const addresses = wantedAddresses(body);
  await creations.ended(id, addresses, signal);
  const existing = book.get(id);
  if (existing !== undefined && !existing.going) {
    requireNetwork(existing, body.NetworkID);
    if (existing.networkId === body.NetworkID) return answer(existing, body);
  }
  return creations.run(id, addresses, () => make(context, body, signal));
}

/**
 * One commit, and the veth pair while the store works on it. Undoes its own steps when one of them fails: Docker
 * will not.
 */
async function make(
  context: EndpointsContext,
  body: CreateEndpointBody,
  signal: AbortSignal,
): Promise<CreatedInterface> {
  const { book, veths, settings, programmer } = context;
  const id = body.EndpointID;
  const plan = await planEndpoint(context, body, signal);
  const configured = readMtu(plan.network) ?? (settings.vethMtu > 0 ? settings.vethMtu : undefined);
  const mtu = configured ?? programmer.workloadMtu() ?? DEFAULT_MTU;
  book.announce(id, plan.network.networkId, plan.provisional, plan.endpoint.addresses);
  const storing = store(context, plan, id, signal);
  // The request goes out first: making the pair holds the event loop.
  const making = nextTurn().then(() => {
    programmer.programAhead(localEndpointOf(plan));
    return veths.create(id, plan.mac, mtu);
  });
  const [stored, made] = await Promise.allSettled([storing, making]);
  if (stored.status === 'fulfilled' && made.status === 'fulfilled' && !signal.aborted) {
    const record = { ...stored.value, interfaceIndex: made.value.index };
    book.put(record);
    if (record.provisional) correctProfile(context, record);
    return answer(record, body);
  }
  if (made.status === 'fulfilled') veths.bury(made.value.name, made.value.index);
  book.withdrawAnnouncement(id);
  void withdraw(context, id);
  if (stored.status === 'fulfilled') await undo(context, stored.value);
  else if (isFault(stored.reason, 'outcome-unknown')) await context.rememberDeletion(id);
  throw (
    [stored, made].find((step) => step.status === 'rejected')?.reason ??
    abortFault(signal, 'CreateEndpoint')
  );
}

/** Docker was told that the call failed, or will be: it never deletes what was stored. */
async function undo(
  { store: datastore, rememberDeletion }: EndpointsContext,
  record: EndpointRecord,
): Promise<void> {
  const { key, revision, id } = record;
  const transaction = { compares: [{ key, revision }], writes: [{ key, value: null }] };
  const done = await datastore.commit(transaction, { signal: deadline(UNDO_MS) }).then(
    ({ committed }) => committed,
    () => false,
  );
  if (!done) await rememberDeletion(id);
}

/** The name may have been learnt while the commit was under way, when nobody could correct it yet. */
function correctProfile(context: EndpointsContext, { networkId, id }: EndpointRecord): void {
  const name = context.names.nameOf(networkId) ?? context.networks.nameOf(networkId);
  if (name === undefined) return;
  nameLearnt(context, networkId, name).catch((error: unknown) => {
    context.log.warn(
      { EndpointID: id, error: messageOf(error) },
      'the provisional profile stays for now',
    );
  });
}

/** Docker refuses an answer that repeats what it gave itself (plugin protocol §2.1). */
function answer(record: EndpointRecord, body: CreateEndpointBody): CreatedInterface {
  const given = (body.Interface?.MacAddress ?? '') !== '';
  return { Interface: given ? {} : { MacAddress: record.endpoint.mac } };
}

async function store(
  context: EndpointsContext,
  plan: EndpointPlan,
  id: string,
  signal: AbortSignal,
): Promise<EndpointRecord> {
  const { endpoint, profile } = plan;
  const key = resourceKey('workloadendpoints', endpoint.name, endpoint.namespace);
  const identity: Identity = { uid: randomUUID(), createdAt: new Date(context.clock.now()) };
  const annotations = { [HOST_ANNOTATION]: context.hostUuid };
  const text = encodeWorkloadEndpoint(endpoint, { ...identity, annotations });
  let { leases } = plan;
  const revision = await retryOnConflict(ATTEMPTS, async (attempt, current) => {
    if (current !== undefined) {
      context.profiles.absorb(profile.name, current);
      context.networks.absorb(plan.network.networkId, current);
    }
    if (attempt > 1) {
      // DeleteNetwork may be what was in the way.
      await context.networks.require(plan.network.networkId, { signal });
      leases = await reloaded(context, leases, signal);
    }
    const parts = await transactionOf(context, {
      key,
      text,
      id,
      networkId: plan.network.networkId,
      leases,
      profile,
      identity,
      signal,
    });
    const result = await commitOrSettle(
      context.store,
      (transaction) => context.writes.commit(transaction),
      parts.transaction,
      key,
    );
    if (!result.committed) throw endpointConflict(result.current);
    parts.committed();
    return result.revision;
  });
  context.profiles.committed(profile, revision);
  for (const { address, handle } of leases) context.leases.bound(address, handle, id, revision);
  return {
    id,
    networkId: plan.network.networkId,
    endpoint,
    key,
    revision,
    text,
    interfaceIndex: 0,
    provisional: plan.provisional,
    sandboxKey: '',
    slot: 0,
    subnets: [],
    routed: [],
    going: false,
    published: [],
    handles: Object.fromEntries(leases.map(({ address, handle }) => [String(address), handle])),
  };
}

/** Endpoint, handles, the profile when it is the first, and an older endpoint of the same address that gives way. */
async function transactionOf(
  context: EndpointsContext,
  parts: {
    readonly key: string;
    readonly text: string;
    readonly id: string;
    readonly networkId: string;
    readonly leases: readonly AddressLease[];
    readonly profile: Profile;
    readonly identity: Identity;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly transaction: Transaction; committed(): void }> {
  const { leases, id } = parts;
  const profile = context.profiles.parts(parts.profile, parts.identity);
  const handles = new Map(leases.map((lease) => [handleKey(lease.handle), lease]));
  const stale = new Set(
    leases
      .flatMap(({ address }) => context.book.holding(address) ?? [])
      .filter((other) => other.id !== id),
  );
  const evictions = await Promise.all(
    [...stale].map((other) => giveWay(context, other, parts.signal)),
  );
  const compares = [
    { key: parts.key, revision: context.book.get(id)?.revision ?? 0n },
    ...[...handles].map(([key, { handleRevision: revision }]) => ({ key, revision })),
    ...profile.compares,
    // A profile that is made after the end of its network would stay for ever.
    ...(profile.writes.length > 0 ? context.networks.compares(parts.networkId) : []),
    ...evictions.flatMap((eviction) => eviction.compares),
  ];
  const writes = [
    { key: parts.key, value: parts.text },
    ...[...handles].map(([key, { handleValue: value }]) => ({ key, value })),
    ...profile.writes,
    ...evictions.flatMap((eviction) => eviction.writes),
  ];
  const transaction = { compares, writes, reads: compares.map(({ key }) => key) };
  return {
    transaction,
    committed: () => [...stale].forEach((other) => discardEndpoint(context, other)),
  };
}
