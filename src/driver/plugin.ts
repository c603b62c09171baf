import type { TSchema } from 'typebox';
import { within, orAbort, toFault, type Log, isFault, isMeantForAnother } from '../base/index.js';
import type { PluginMethod } from '../rpc/index.js';
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
  readonly scope: 'local' | 'global';
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
  const constant = (value: unknown, schema?: TSchema): PluginMethod => ({
    ...(schema === undefined ? {} : { schema }),
    emptyBody: true,
    boundMs: CONSTANT_MS,
    constant: value,
    run: () => Promise.resolve(value),
  });
  const method = <Body>(
    schema: TSchema,
    boundMs: number,
    run: (body: Body, signal: AbortSignal) => Promise<unknown>,
  ): PluginMethod => ({
    schema,
    boundMs,
    run: (body, signal) => run(body as Body, signal),
  });
  return new Map<string, PluginMethod>([
    ['Plugin.Activate', constant({ Implements: ['NetworkDriver'] })],
    [
      'NetworkDriver.GetCapabilities',
      constant({ Scope: options.scope, ConnectivityScope: options.scope }),
    ],
    ['NetworkDriver.GwAllocCheck', constant({ SkipIPv4: true, SkipIPv6: true })],
    [
      'NetworkDriver.AllocateNetwork',
      method<AllocateNetworkBody>(AllocateNetworkBody, CONSTANT_MS, (body) =>
        Promise.resolve({ Options: body.Options ?? {} }),
      ),
    ],
    ['NetworkDriver.FreeNetwork', constant({})],
    ['NetworkDriver.DiscoverNew', constant({})],
    ['NetworkDriver.DiscoverDelete', constant({})],
    [
      'NetworkDriver.CreateNetwork',
      method<CreateNetworkBody>(CreateNetworkBody, callTimeoutMs, (body, signal) =>
        createNetwork(body, options, signal),
      ),
    ],
    [
      'NetworkDriver.DeleteNetwork',
      method<NetworkBody>(NetworkBody, deleteTimeoutMs, (body, signal) =>
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
    ['NetworkDriver.EndpointOperInfo', constant({ Value: {} })],
    [
      'NetworkDriver.Join',
      method<JoinBody>(JoinBody, callTimeoutMs, async (body, signal) =>
        join((await options.core(signal)).endpoints.context, body, signal),
      ),
    ],
    [
      'NetworkDriver.ProgramExternalConnectivity',
      method<EndpointBody & { Options?: unknown }>(EndpointBody, callTimeoutMs, (body) =>
        programExternalConnectivity(body, options),
      ),
    ],
    ['NetworkDriver.RevokeExternalConnectivity', { ...constant({}), schema: AnyBody }],
    [
      'NetworkDriver.Leave',
      method<EndpointBody>(EndpointBody, deleteTimeoutMs, (body, signal) =>
        leave(body, options, signal),
      ),
    ],
    [
      'NetworkDriver.DeleteEndpoint',
      method<EndpointBody>(EndpointBody, deleteTimeoutMs, (body, signal) =>
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
  await deferring(
    options,
    signal,
    async (bounded) =>
      (await options.core(bounded)).networks.delete(body.NetworkID, { signal: bounded }),
    () => options.pending.record('delete-network', { networkId: body.NetworkID }),
  );
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
  await deferring(
    options,
    signal,
    async (bounded) => (await options.core(bounded)).endpoints.delete(body.EndpointID),
    () => options.pending.record('delete-endpoint', { endpointId: body.EndpointID }),
  );
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

/** Docker ignores errors of deletions: what cannot be done within the bound is written down before the answer. */
async function deferring(
  options: DriverPluginOptions,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
  defer: () => Promise<void>,
): Promise<void> {
  try {
    await within(options.deleteTimeoutMs * 0.75, [signal], (bounded) =>
      orAbort(work(bounded), bounded, 'the deletion'),
    );
  } catch (error) {
    if (isMeantForAnother(toFault(error))) {
      options.log.warn(
        { error: toFault(error).message },
        'not done: another machine has this node name',
      );
      return;
    }
    await defer();
    options.log.warn(
      { error: toFault(error).message, reason: toFault(error).reason },
      'deletion deferred',
    );
  }
}
