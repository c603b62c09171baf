import { randomBytes, randomUUID } from 'node:crypto';
import { Fault } from '../base/index.js';
import { handleKey, resourceKey, retryOnConflict, type Transaction } from '../datastore/index.js';
import {
  Address,
  Cidr,
  hostInterfaceName,
  ORCHESTRATOR,
  profileName,
  provisionalProfileName,
  WORKLOAD,
  workloadEndpointName,
  type Profile,
  type WorkloadEndpoint,
} from '../model/index.js';
import { encodeWorkloadEndpoint, type Identity } from '../model/v3/index.js';
import type { EndpointRecord } from './endpoint-book.js';
import type { EndpointsContext } from './endpoints.js';
import type { Network } from './network-record.js';
import { readEndpointOptions } from './options.js';
import type { AddressLease } from './ports.js';
import { automaticProfile } from './profile-book.js';
import type { CreateEndpointBody } from './schema.js';
import { commitOrSettle } from './settle.js';

/** Which machine made the endpoint: what it left over may be freed by no other. */
export const HOST_ANNOTATION = 'calico-libnetwork/host';

const DEFAULT_MTU = 1500;
/** Longest wait for the inventory to learn a network's name. */
const NAME_WAIT_MS = 1_000;
const ATTEMPTS = 20;

export interface CreatedInterface {
  readonly Interface: { readonly MacAddress?: string };
}

interface Plan {
  readonly network: Network;
  readonly leases: readonly AddressLease[];
  readonly mac: string;
  readonly profile: Profile;
  readonly provisional: boolean;
  readonly endpoint: WorkloadEndpoint;
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
  const plan = await makePlan(context, body, signal);
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

async function makePlan(
  context: EndpointsContext,
  body: CreateEndpointBody,
  signal: AbortSignal,
): Promise<Plan> {
  const network = await context.networks.require(body.NetworkID, { signal });
  const addresses = addressesOf(body);
  const given = (body.Interface?.MacAddress ?? '').toLowerCase();
  const mac = given === '' ? randomMac() : checkedMac(given);
  const leases = await Promise.all(
    addresses.map((address) => leaseFor(context, address, given, signal)),
  );
  context.programmer.prepareAddresses(addresses);
  const { profile: asked } = readEndpointOptions(body.Options ?? {});
  const { name, provisional } = await profileOf(context, network, asked);
  const endpoint: WorkloadEndpoint = {
    namespace: context.settings.namespace,
    name: workloadEndpointName(context.node, body.EndpointID),
    node: context.node,
    orchestrator: ORCHESTRATOR,
    workload: WORKLOAD,
    endpoint: body.EndpointID,
    containerId: '',
    interfaceName: hostInterfaceName(body.EndpointID),
    mac,
    addresses,
    profiles: [name],
    labels: {},
    allowSpoofedSourcePrefixes: [],
  };
  const profile = automaticProfile(name, network.internal);
  return { network, leases, mac, profile, provisional, endpoint };
}

function addressesOf(body: CreateEndpointBody): Address[] {
  const texts = [body.Interface?.Address ?? '', body.Interface?.AddressIPv6 ?? ''].filter(
    (text) => text !== '',
  );
  if (texts.length === 0) {
    throw new Fault(
      'invalid',
      'the endpoint has no address; use the calico-ipam IPAM driver for the network',
      { reason: 'no-address' },
    );
  }
  return texts.map((text) => {
    const parsed = Cidr.tryParseInterface(text);
    if (parsed === undefined)
      throw new Fault('invalid', `"${text.slice(0, 80)}" is no address in CIDR form`, {
        reason: 'bad-address',
      });
    return parsed.address;
  });
}

async function leaseFor(
  context: EndpointsContext,
  address: Address,
  mac: string,
  signal: AbortSignal,
): Promise<AddressLease> {
  const lease = await context.leases.leaseOf(address, signal);
  if (lease === undefined) {
    throw new Fault(
      'refused',
      `${address} was not given out by calico-ipam on this host, or was freed since; start the container again`,
      {
        reason: 'no-lease',
      },
    );
  }
  if (lease.mac !== '' && mac !== '' && lease.mac !== mac) {
    throw new Fault(
      'refused',
      `${address} was given to the endpoint with MAC ${lease.mac}, not to ${mac}; start the container again`,
      {
        reason: 'other-mac',
      },
    );
  }
  return lease;
}

async function profileOf(
  context: EndpointsContext,
  network: Network,
  asked: string | undefined,
): Promise<{ readonly name: string; readonly provisional: boolean }> {
  const explicit = asked ?? network.options['profile'];
  if (explicit !== undefined) return { name: explicit, provisional: false };
  const known =
    network.name === ''
      ? await context.names.waitFor(network.networkId, NAME_WAIT_MS)
      : network.name;
  if (known !== undefined) return { name: profileName(known), provisional: false };
  return { name: provisionalProfileName(network.networkId), provisional: true };
}

async function store(
  context: EndpointsContext,
  plan: Plan,
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
    if (!result.committed) throw context.conflict('the endpoint', result.current);
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
  return { transaction, committed: () => [...stale].forEach((other) => context.discard(other)) };
}

function readMtu(network: Network): number | undefined {
  const text = network.options['mtu'] ?? network.options['com.docker.network.driver.mtu'];
  return text === undefined ? undefined : Number(text);
}

function checkedMac(text: string): string {
  if (/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text) && (parseInt(text.slice(0, 2), 16) & 1) === 0)
    return text;
  throw new Fault('invalid', `"${text.slice(0, 40)}" is no unicast MAC address`, {
    reason: 'bad-mac',
  });
}

/** Locally administered, unicast. */
function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
