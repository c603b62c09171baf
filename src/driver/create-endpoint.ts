import { randomUUID } from 'node:crypto';
import { Fault } from '../base/index.js';
import { handleKey, resourceKey, retryOnConflict, type Transaction } from '../datastore/index.js';
import type { Profile } from '../model/index.js';
import { encodeWorkloadEndpoint, type Identity } from '../model/v3/index.js';
import { discardEndpoint, endpointConflict, type EndpointsContext } from './context.js';
import type { EndpointRecord } from './endpoint-book.js';
import { leaseFor, planEndpoint, readMtu, type EndpointPlan } from './plan-endpoint.js';
import type { AddressLease } from './ports.js';
import type { CreateEndpointBody } from './schema.js';
import { commitOrSettle } from './settle.js';

/** Which machine made the endpoint: what it left over may be freed by no other. */
export const HOST_ANNOTATION = 'calico-libnetwork/host';

const DEFAULT_MTU = 1500;
const ATTEMPTS = 20;

export interface CreatedInterface {
  readonly Interface: { readonly MacAddress?: string };
}

/** CreateEndpoint: the veth pair, then one commit. Undoes its own steps when it fails: Docker will not. */
export async function createEndpoint(
  context: EndpointsContext,
  body: CreateEndpointBody,
  signal: AbortSignal,
): Promise<CreatedInterface> {
  const existing = context.book.get(body.EndpointID);
  if (existing !== undefined && existing.networkId === body.NetworkID && !existing.going)
    return answer(existing, body);
  const plan = await planEndpoint(context, body, signal);
  const mtu =
    readMtu(plan.network) ??
    (context.settings.vethMtu > 0 ? context.settings.vethMtu : DEFAULT_MTU);
  const veth = await context.veths.create(body.EndpointID, plan.mac, mtu);
  try {
    const record = await store(context, plan, body.EndpointID, veth.index, signal);
    context.book.put(record);
    context.book.persist(record);
    return answer(record, body);
  } catch (error) {
    context.veths.bury(veth.name, veth.index);
    throw error;
  }
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
  interfaceIndex: number,
  signal: AbortSignal,
): Promise<EndpointRecord> {
  const { endpoint, profile } = plan;
  const key = resourceKey('workloadendpoints', endpoint.name, endpoint.namespace);
  const identity: Identity = { uid: randomUUID(), createdAt: new Date(context.clock.now()) };
  const annotations = { [HOST_ANNOTATION]: context.hostUuid };
  const text = encodeWorkloadEndpoint(endpoint, { ...identity, annotations });
  let { leases } = plan;
  const revision = await retryOnConflict(ATTEMPTS, async (attempt, current) => {
    if (current !== undefined) context.profiles.absorb(profile.name, current);
    if (attempt > 1) leases = await reloaded(context, leases, signal);
    const parts = await transactionOf(context, { key, text, id, leases, profile, identity });
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
    interfaceIndex,
    provisional: plan.provisional,
    sandboxKey: '',
    slot: 0,
    subnets: [],
    routed: [],
    going: false,
  };
}

/** After a conflict each lease is read again; one that somebody freed ends the call. */
async function reloaded(
  context: EndpointsContext,
  leases: readonly AddressLease[],
  signal: AbortSignal,
): Promise<AddressLease[]> {
  return Promise.all(
    leases.map(async ({ address, handle, mac }) => {
      await context.leases.reloadHandle(handle, { signal });
      const lease = await leaseFor(context, address, mac, signal);
      if (lease.handleRevision === 0n)
        throw new Fault('refused', `${address} was freed meanwhile; start the container again`, {
          reason: 'no-lease',
        });
      return lease;
    }),
  );
}

/** Endpoint, handles, the profile when it is the first, and an older endpoint of the same address that gives way. */
async function transactionOf(
  context: EndpointsContext,
  parts: {
    readonly key: string;
    readonly text: string;
    readonly id: string;
    readonly leases: readonly AddressLease[];
    readonly profile: Profile;
    readonly identity: Identity;
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
  for (const other of stale) await context.programmer.withdraw(other.id);
  const compares = [
    { key: parts.key, revision: context.book.get(id)?.revision ?? 0n },
    ...[...handles].map(([key, { handleRevision: revision }]) => ({ key, revision })),
    ...profile.compares,
    ...[...stale].map(({ key, revision }) => ({ key, revision })),
  ];
  const writes = [
    { key: parts.key, value: parts.text },
    ...[...handles].map(([key, { handleValue: value }]) => ({ key, value })),
    ...profile.writes,
    ...[...stale].map(({ key }) => ({ key, value: null })),
  ];
  const transaction = { compares, writes, reads: compares.map(({ key }) => key) };
  return {
    transaction,
    committed: () => [...stale].forEach((other) => discardEndpoint(context, other)),
  };
}
