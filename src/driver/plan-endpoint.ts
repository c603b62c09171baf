import { randomBytes } from 'node:crypto';
import { Fault } from '../base/index.js';
import {
  Cidr,
  hostInterfaceName,
  ORCHESTRATOR,
  profileName,
  provisionalProfileName,
  WORKLOAD,
  workloadEndpointName,
  type Address,
  type LocalEndpoint,
  type Profile,
  type WorkloadEndpoint,
} from '../model/index.js';
import type { EndpointsContext } from './context.js';
import type { Network } from './network-record.js';
import { readEndpointOptions } from './options.js';
import type { AddressLease } from './ports.js';
import { automaticProfile } from './profile-book.js';
import type { CreateEndpointBody } from './schema.js';

/** Longest wait for the inventory to learn a network's name. */
const NAME_WAIT_MS = 1_000;

/** Everything that CreateEndpoint decides before it changes anything. */
export interface EndpointPlan {
  readonly network: Network;
  readonly leases: readonly AddressLease[];
  readonly mac: string;
  readonly profile: Profile;
  readonly provisional: boolean;
  readonly endpoint: WorkloadEndpoint;
}

/** Checks the request against the leases and decides profile and object; changes nothing. */
export async function planEndpoint(
  context: EndpointsContext,
  body: CreateEndpointBody,
  signal: AbortSignal,
): Promise<EndpointPlan> {
  const network = await context.networks.require(body.NetworkID, { signal });
  refuseSameInterface(context, body.EndpointID);
  const addresses = addressesOf(body);
  const given = (body.Interface?.MacAddress ?? '').toLowerCase();
  const mac = given === '' ? randomMac() : checkedMac(given);
  const leases = await Promise.all(
    addresses.map((address) => leaseFor(context, address, given, signal)),
  );
  context.programmer.prepareAddresses(addresses);
  const { profile: asked, labels } = readEndpointOptions(body.Options ?? {});
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
    labels,
    ports: [],
    allowSpoofedSourcePrefixes: [],
  };
  const profile = automaticProfile(name, network.internal);
  return { network, leases, mac, profile, provisional, endpoint };
}

/** The endpoint as the agent may know it before its interface is there. */
export function localEndpointOf({ network, endpoint }: EndpointPlan): LocalEndpoint {
  const { interfaceName, addresses, mac, namespace, profiles, labels } = endpoint;
  return {
    ...{ id: endpoint.endpoint, networkId: network.networkId, sandboxKey: '' },
    ...{ interfaceName, interfaceIndex: 0, addresses, mac, namespace, profiles, labels },
  };
}

/** Interfaces are named by the first digits of the ID: making a second one would take the first one's away. */
function refuseSameInterface({ book }: EndpointsContext, id: string): void {
  const other = book.withInterface(hostInterfaceName(id));
  if (other === undefined || other.id === id) return;
  throw new Fault(
    'exists',
    `endpoint ${other.id.slice(0, 20)} has the interface ${hostInterfaceName(id)} already; start the container again`,
    { reason: 'interface-taken' },
  );
}

function addressTexts({ Interface: wanted }: CreateEndpointBody): string[] {
  return [wanted?.Address ?? '', wanted?.AddressIPv6 ?? ''].filter((text) => text !== '');
}

/** The addresses that the request names, as far as they can be understood. */
export function wantedAddresses(body: CreateEndpointBody): Address[] {
  return addressTexts(body).flatMap((text) => Cidr.tryParseInterface(text)?.address ?? []);
}

function addressesOf(body: CreateEndpointBody): Address[] {
  const texts = addressTexts(body);
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

/** Throws `refused` unless calico-ipam gave the address to this very endpoint. */
export async function leaseFor(
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

/** After a conflict each lease is read again; one that somebody freed ends the call. */
export async function reloaded(
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

async function profileOf(
  context: EndpointsContext,
  network: Network,
  asked: string | undefined,
): Promise<{ readonly name: string; readonly provisional: boolean }> {
  const explicit = asked ?? (network.options['profile'] || undefined);
  if (explicit !== undefined) return { name: explicit, provisional: false };
  const known =
    network.name === ''
      ? await context.names.waitFor(network.networkId, NAME_WAIT_MS)
      : network.name;
  if (known !== undefined) return { name: profileName(known), provisional: false };
  return { name: provisionalProfileName(network.networkId), provisional: true };
}

/** MTU that the network asks for. */
export function readMtu(network: Network): number | undefined {
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
