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
import { publishPorts, unpublishPorts } from './publish.js';
import {
  AllocateNetworkBody,
  CreateEndpointBody,
  CreateNetworkBody,
  EndpointBody,
  JoinBody,
  NetworkBody,
  ProgramBody,
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
      checkedMethod<ProgramBody>(ProgramBody, callTimeoutMs, async (body, signal) => {
        await publishPorts((await options.core(signal)).endpoints.context, body, signal);
        return {};
      }),
    ],
    [
      'NetworkDriver.RevokeExternalConnectivity',
      // A drained retry is answered too: Leave follows and gives up the ports.
      {
        emptyBody: true,
        boundMs: deleteTimeoutMs,
        run: (body, signal) => revoke(body as Partial<EndpointBody> | undefined, options, signal),
      },
    ],
    [
      'NetworkDriver.Leave',
      checkedMethod<EndpointBody>(EndpointBody, deleteTimeoutMs, (body, signal) =>
        bestEffort(body.EndpointID, options, signal, ({ endpoints }) =>
          endpoints.leave(body.EndpointID),
        ),
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

async function revoke(
  body: Partial<EndpointBody> | null | undefined,
  options: DriverPluginOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const id = body?.EndpointID;
  if (typeof id !== 'string') return {};
  return bestEffort(id, options, signal, ({ endpoints }) => unpublishPorts(endpoints.context, id));
}

/** For what Docker does not look at: DeleteEndpoint, or the look for leftovers, finishes the work. */
async function bestEffort(
  id: string,
  options: DriverPluginOptions,
  signal: AbortSignal,
  work: (core: DriverCore) => Promise<void>,
): Promise<unknown> {
  try {
    await within(options.deleteTimeoutMs * 0.75, [signal], async (bounded) =>
      work(await options.core(bounded)),
    );
  } catch (error) {
    options.log.warn(
      { EndpointID: id, error: toFault(error).message },
      'the container is detached incompletely',
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
