import { randomBytes } from 'node:crypto';
import {
  createEngineClient,
  type Answer,
  type EngineClient,
} from '../test/fixtures/engine-client.js';
import type { ContainerListing } from './container-listing.js';

/** A plugin pair with one network on it, ready for containers to come and go. */
export interface LoadNetwork {
  readonly network: EngineClient;
  readonly ipam: EngineClient;
  readonly networkId: string;
  readonly poolId: string;
  /** Whether the IPAM driver wants the MAC with RequestAddress. */
  readonly wantsMac: boolean;
  readonly listing?: ContainerListing;
  /** Addresses in use now: one that comes twice is a duplicate. */
  readonly inUse: Set<string>;
}

/** Milliseconds per call of one cycle, by method, and their sums. */
export interface CycleTimes {
  readonly calls: Readonly<Record<string, number>>;
  readonly start: number;
  readonly stop: number;
}

export const newId = (): string => randomBytes(32).toString('hex');

const START = [
  'IpamDriver.RequestAddress',
  'NetworkDriver.CreateEndpoint',
  'NetworkDriver.EndpointOperInfo',
  'NetworkDriver.Join',
  'NetworkDriver.ProgramExternalConnectivity',
];

/** Makes the network as `docker network create --subnet` does. */
export async function openNetwork(
  sockets: { readonly network: string; readonly ipam: string },
  subnet: string,
  networkId: string,
  listing?: ContainerListing,
): Promise<LoadNetwork> {
  const network = createEngineClient(sockets.network);
  const ipam = createEngineClient(sockets.ipam);
  await network.call('Plugin.Activate');
  await ipam.call('Plugin.Activate');
  await network.call('NetworkDriver.GetCapabilities');
  const capabilities = await ipam.call('IpamDriver.GetCapabilities');
  const spaces = await ipam.call('IpamDriver.GetDefaultAddressSpaces');
  const space = spaces['LocalDefaultAddressSpace'];
  const pool = await ipam.call('IpamDriver.RequestPool', {
    AddressSpace: space,
    Pool: subnet,
    SubPool: '',
    Options: {},
    V6: false,
  });
  const data = pool['Data'] as Answer | null | undefined;
  await network.call('NetworkDriver.CreateNetwork', {
    NetworkID: networkId,
    Options: { 'com.docker.network.enable_ipv6': false, 'com.docker.network.generic': {} },
    IPv4Data: [
      {
        AddressSpace: space,
        Pool: pool['Pool'],
        Gateway: data?.['com.docker.network.gateway'] ?? '',
      },
    ],
    IPv6Data: [],
  });
  return {
    network,
    ipam,
    networkId,
    poolId: String(pool['PoolID']),
    wantsMac: capabilities['RequiresMACAddress'] === true,
    inUse: new Set(),
    ...(listing === undefined ? {} : { listing }),
  };
}

export async function closeNetwork(load: LoadNetwork): Promise<void> {
  await load.network.call('NetworkDriver.DeleteNetwork', { NetworkID: load.networkId });
  await load.ipam.call('IpamDriver.ReleasePool', { PoolID: load.poolId });
  load.network.close();
  load.ipam.close();
}

/** One container's life in calls, as dockerd makes them; throws when a call fails or an address comes twice. */
export async function runCycle(load: LoadNetwork): Promise<CycleTimes> {
  const calls: Record<string, number> = {};
  const call = async (client: EngineClient, method: string, body: unknown): Promise<Answer> => {
    const begin = performance.now();
    const answer = await client.call(method, body);
    calls[method] = (calls[method] ?? 0) + performance.now() - begin;
    return answer;
  };
  const ids = { NetworkID: load.networkId, EndpointID: newId() };
  const octets = randomBytes(4).toString('hex').match(/../g) ?? [];
  const mac = load.wantsMac ? `02:42:${octets.join(':')}` : '';
  const options = {
    'com.docker.network.endpoint.exposedports': [],
    'com.docker.network.portmap': [],
  };
  const given = await call(load.ipam, 'IpamDriver.RequestAddress', {
    PoolID: load.poolId,
    Address: '',
    Options: mac === '' ? null : { 'com.docker.network.endpoint.macaddress': mac },
  });
  const cidr = String(given['Address']);
  const address = cidr.split('/')[0] ?? '';
  if (load.inUse.has(address)) throw new Error(`${address} was given out twice`);
  load.inUse.add(address);
  load.listing?.endpoints.set(ids.EndpointID, address);
  await call(load.network, 'NetworkDriver.CreateEndpoint', {
    ...ids,
    Interface: { Address: cidr, AddressIPv6: '', MacAddress: mac },
    Options: options,
  });
  await call(load.network, 'NetworkDriver.EndpointOperInfo', ids);
  const sandbox = `/var/run/docker/netns/${newId().slice(0, 12)}`;
  await call(load.network, 'NetworkDriver.Join', { ...ids, SandboxKey: sandbox, Options: options });
  await optional(() =>
    call(load.network, 'NetworkDriver.ProgramExternalConnectivity', { ...ids, Options: options }),
  );
  await call(load.network, 'NetworkDriver.EndpointOperInfo', ids);
  await optional(() => call(load.network, 'NetworkDriver.RevokeExternalConnectivity', ids));
  await call(load.network, 'NetworkDriver.Leave', ids);
  await call(load.network, 'NetworkDriver.DeleteEndpoint', ids);
  load.listing?.endpoints.delete(ids.EndpointID);
  // Another cycle may get the address while this answer is on its way: forget it first.
  load.inUse.delete(address);
  await call(load.ipam, 'IpamDriver.ReleaseAddress', { PoolID: load.poolId, Address: address });
  const sum = (part: (method: string) => boolean): number =>
    Object.entries(calls).reduce((total, [method, ms]) => total + (part(method) ? ms : 0), 0);
  return {
    calls,
    start: sum((method) => START.includes(method)),
    stop: sum((method) => !START.includes(method)),
  };
}

/** Docker takes a missing method for "not supported" in these two calls. */
async function optional(work: () => Promise<unknown>): Promise<void> {
  await work().catch((error: unknown) => {
    if ((error as { status?: number }).status !== 404) throw error;
  });
}
