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

/** A container that runs, as far as a plugin knows. */
export interface RunningContainer {
  readonly endpointId: string;
  readonly address: string;
}

type CallTimes = Record<string, number>;

/** Adds the milliseconds of a call to those of its method. */
async function timed(
  times: CallTimes,
  client: EngineClient,
  method: string,
  body: unknown,
): Promise<Answer> {
  const begin = performance.now();
  const answer = await client.call(method, body);
  times[method] = (times[method] ?? 0) + performance.now() - begin;
  return answer;
}

/** Two options that dockerd always sends. */
const OPTIONS = {
  'com.docker.network.endpoint.exposedports': [],
  'com.docker.network.portmap': [],
};

/** The calls of a start as dockerd makes them; throws when one fails or an address comes twice. */
export async function startContainer(
  load: LoadNetwork,
  times: CallTimes = {},
): Promise<RunningContainer> {
  const endpointId = newId();
  const ids = { NetworkID: load.networkId, EndpointID: endpointId };
  const octets = randomBytes(4).toString('hex').match(/../g) ?? [];
  const mac = load.wantsMac ? `02:42:${octets.join(':')}` : '';
  const given = await timed(times, load.ipam, 'IpamDriver.RequestAddress', {
    PoolID: load.poolId,
    Address: '',
    Options: mac === '' ? null : { 'com.docker.network.endpoint.macaddress': mac },
  });
  const cidr = String(given['Address']);
  const address = cidr.split('/')[0] ?? '';
  if (load.inUse.has(address)) throw new Error(`${address} was given out twice`);
  load.inUse.add(address);
  load.listing?.endpoints.set(endpointId, address);
  const { network } = load;
  await timed(times, network, 'NetworkDriver.CreateEndpoint', {
    ...ids,
    Interface: { Address: cidr, AddressIPv6: '', MacAddress: mac },
    Options: OPTIONS,
  });
  await timed(times, network, 'NetworkDriver.EndpointOperInfo', ids);
  const sandbox = `/var/run/docker/netns/${newId().slice(0, 12)}`;
  const join = { ...ids, SandboxKey: sandbox, Options: OPTIONS };
  await timed(times, network, 'NetworkDriver.Join', join);
  await optional(() =>
    timed(times, network, 'NetworkDriver.ProgramExternalConnectivity', {
      ...ids,
      Options: OPTIONS,
    }),
  );
  await timed(times, network, 'NetworkDriver.EndpointOperInfo', ids);
  return { endpointId, address };
}

/** The calls of a stop as dockerd makes them; throws when one fails. */
export async function stopContainer(
  load: LoadNetwork,
  { endpointId, address }: RunningContainer,
  times: CallTimes = {},
): Promise<void> {
  const ids = { NetworkID: load.networkId, EndpointID: endpointId };
  const { network } = load;
  await optional(() => timed(times, network, 'NetworkDriver.RevokeExternalConnectivity', ids));
  await timed(times, network, 'NetworkDriver.Leave', ids);
  await timed(times, network, 'NetworkDriver.DeleteEndpoint', ids);
  load.listing?.endpoints.delete(endpointId);
  // Another cycle may get the address while this answer is on its way: forget it first.
  load.inUse.delete(address);
  await timed(times, load.ipam, 'IpamDriver.ReleaseAddress', {
    PoolID: load.poolId,
    Address: address,
  });
}

/** One container's life in calls. */
export async function runCycle(load: LoadNetwork): Promise<CycleTimes> {
  const started: CallTimes = {};
  const stopped: CallTimes = {};
  await stopContainer(load, await startContainer(load, started), stopped);
  const sum = (times: CallTimes): number => Object.values(times).reduce((a, b) => a + b, 0);
  return { calls: { ...started, ...stopped }, start: sum(started), stop: sum(stopped) };
}

/** So many lives, so many of them at once. */
export async function runCycles(
  load: LoadNetwork,
  count: number,
  inFlight: number,
): Promise<CycleTimes[]> {
  const done: CycleTimes[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      done.push(await runCycle(load));
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
  return done;
}

/** Docker takes a missing method for "not supported" in these two calls. */
async function optional(work: () => Promise<unknown>): Promise<void> {
  await work().catch((error: unknown) => {
    if ((error as { status?: number }).status !== 404) throw error;
  });
}
