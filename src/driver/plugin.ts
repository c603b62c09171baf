import { within, toFault, type Log, isFault } from '../base/index.js';
import {
  checkedMethod,
  constantMethod,
  deleteOrDefer,
  lookedUpMethod,
  type PluginMethod,
} from '../rpc/index.js';
import { createEndpoint } from './create-endpoint.js';
import type { Endpoints } from './endpoints.js';
import { join } from './join.js';
import type { Networks } from './networks.js';
import { readNetworkOptions } from './options.js';
import type { PendingDeletions } from './ports.js';
import {
  AllocateNetworkBody,
  AnyBody,
  CreateEndpointBody,
  CreateNetworkBody,
  EndpointBody,
  JoinBody,
  NetworkBody,
} from './schema.js';

/** What answers the calls once the store was reached for the first time. */
export interface DriverCore {
  readonly networks: Networks;
  readonly endpoints: Endpoints;
}

export interface DriverPluginOptions {
  /** Settles at the first contact with the datastore. */
  readonly core: (signal: AbortSignal) => Promise<DriverCore>;
  readonly pending: PendingDeletions;
  /** Asked at each GetCapabilities: the engine may have started after us. */
  readonly scope: () => 'local' | 'global';
  readonly callTimeoutMs: number;
  readonly deleteTimeoutMs: number;
  /** Bound of CreateEndpoint, which may wait for the first contact. */
  readonly bootTimeoutMs: () => number;
  readonly log: Log;
}

const CONSTANT_MS = 1_000;
const PORT_MAP = 'com.docker.network.portmap';

/** Docker's NetworkDriver (plugin protocol §2.1). */
export function createDriverMethods(
  options: DriverPluginOptions,
): ReadonlyMap<string, PluginMethod> {
  const { callTimeoutMs, deleteTimeoutMs } = options;
  return new Map<string, PluginMethod>([
    ['Plugin.Activate', constantMethod({ Implements: ['NetworkDriver'] })],
    [
      'NetworkDriver.GetCapabilities',
      lookedUpMethod(() => {
        const scope = options.scope();
        return { Scope: scope, ConnectivityScope: scope };
      }),
    ],
    ['NetworkDriver.GwAllocCheck', constantMethod({ SkipIPv4: true, SkipIPv6: true })],
    [
      'NetworkDriver.AllocateNetwork',
      checkedMethod<AllocateNetworkBody>(AllocateNetworkBody, CONSTANT_MS, (body) =>
        Promise.resolve({ Options: body.Options ?? {} }),
      ),
    ],
    ['NetworkDriver.FreeNetwork', constantMethod({})],
    ['NetworkDriver.DiscoverNew', constantMethod({})],
    ['NetworkDriver.DiscoverDelete', constantMethod({})],
    [
      'NetworkDriver.CreateNetwork',
      checkedMethod<CreateNetworkBody>(CreateNetworkBody, callTimeoutMs, (body, signal) =>
        createNetwork(body, options, signal),
      ),
    ],
    [
      'NetworkDriver.DeleteNetwork',
      checkedMethod<NetworkBody>(NetworkBody, deleteTimeoutMs, (body, signal) =>
        deleteNetwork(body, options, signal),
      ),
    ],
    [
      'NetworkDriver.CreateEndpoint',
      {
        schema: CreateEndpointBody,
        get boundMs() {
          return options.bootTimeoutMs();
        },
        run: async (body, signal) =>
          createEndpoint(
            (await options.core(signal)).endpoints.context,
            body as CreateEndpointBody,
            signal,
          ),
      },
    ],
    // Needs nothing from its body, so Docker's drained retry is answered too.
    ['NetworkDriver.EndpointOperInfo', constantMethod({ Value: {} })],
    [
      'NetworkDriver.Join',
      checkedMethod<JoinBody>(JoinBody, callTimeoutMs, async (body, signal) =>
        join((await options.core(signal)).endpoints.context, body, signal),
      ),
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      checkedMethod<EndpointBody & { Options?: unknown }>(EndpointBody, callTimeoutMs, (body) =>
        programExternalConnectivity(body, options),
      ),
    ],
    ['NetworkDriver.RevokeExternalConnectivity', { ...constantMethod({}), schema: AnyBody }],
    [
      'NetworkDriver.Leave',
      checkedMethod<EndpointBody>(EndpointBody, deleteTimeoutMs, (body, signal) =>
        leave(body, options, signal),
      ),
    ],
    [
      'NetworkDriver.DeleteEndpoint',
      checkedMethod<EndpointBody>(EndpointBody, deleteTimeoutMs, (body, signal) =>
        deleteEndpoint(body, options, signal),
      ),
    ],
  ]);
}

async function createNetwork(
  body: CreateNetworkBody,
  options: DriverPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  // Wrong options are told even while the store cannot be reached.
  readNetworkOptions(body.Options ?? {});
  const { networks } = await options.core(signal);
  try {
    await networks.create(body, { signal });
  } catch (error) {
    // Docker sends no DeleteNetwork for a failed creation; what came too late or unseen is removed later.
    if (signal.aborted || isFault(error, 'outcome-unknown')) {
      await options.pending.record('delete-network', { networkId: body.NetworkID });
    }
    throw error;
  }
  return {};
}

async function deleteNetwork(
  body: NetworkBody,
  options: DriverPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  await deleteOrDefer({
    boundMs: options.deleteTimeoutMs,
    signal,
    log: options.log,
    work: async (bounded) =>
      (await options.core(bounded)).networks.delete(body.NetworkID, { signal: bounded }),
    defer: () => options.pending.record('delete-network', { networkId: body.NetworkID }),
  });
  return {};
}

async function leave(
  body: EndpointBody,
  options: DriverPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    await within(options.deleteTimeoutMs * 0.75, [signal], async (bounded) =>
      (await options.core(bounded)).endpoints.leave(body.EndpointID),
    );
  } catch (error) {
    // Docker ignores it; DeleteEndpoint, or the look for leftovers, finishes the work.
    options.log.warn(
      { EndpointID: body.EndpointID, error: toFault(error).message },
      'leave incomplete',
    );
  }
  return {};
}

async function deleteEndpoint(
  body: EndpointBody,
  options: DriverPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  await deleteOrDefer({
    boundMs: options.deleteTimeoutMs,
    signal,
    log: options.log,
    work: async (bounded) =>
      (await options.core(bounded)).endpoints.delete(body.EndpointID, bounded),
    defer: () => options.pending.record('delete-endpoint', { endpointId: body.EndpointID }),
  });
  return {};
}

/** Publishing is not done: containers have addresses of their own. Said once per endpoint, where the operator looks. */
function programExternalConnectivity(
  body: EndpointBody & { Options?: unknown },
  options: DriverPluginOptions,
): Promise<unknown> {
  const map = (body.Options as Record<string, unknown> | null | undefined)?.[PORT_MAP];
  if (Array.isArray(map) && map.length > 0) {
    options.log.warn(
      { EndpointID: body.EndpointID, ports: map.length, reason: 'ports-not-published' },
      'published ports are not forwarded on calico networks: reach the container at its own address',
    );
  }
  return Promise.resolve({});
}
