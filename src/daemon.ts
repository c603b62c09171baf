import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  backoff,
  Fault,
  isFault,
  messageOf,
  orAbort,
  sleep,
  systemClock,
  toFault,
  type Log,
} from './base/index.js';
import type { DaemonConfig, NetworkScope } from './config/index.js';
import type { DaemonCore } from './daemon-core.js';
import { createDriverMethods } from './driver/index.js';
import { createIpamMethods } from './ipam/index.js';
import type { LocalServices } from './local-services.js';
import type { Pending } from './reconcile/index.js';
import { createPluginServer, type CallObserver, type PluginServer } from './rpc/index.js';

export interface DaemonOptions {
  readonly config: DaemonConfig;
  readonly version: string;
  readonly osHostname: string;
  readonly scope: NetworkScope;
  /** Listening sockets that systemd passed, by the position of their ListenStream. */
  readonly passedSockets: { readonly network?: number; readonly ipam?: number };
  readonly log: Log;
}

export interface Daemon {
  stop(): Promise<void>;
}

/** The first answers must not wait for libraries: loading them holds the event loop for 65 ms. */
const LOAD_AFTER_MS = 100;

/** State of the part behind the sockets, for calls that come before it is there. */
interface Behind {
  core: DaemonCore | undefined;
  /** Why it is not there yet. */
  failure: Fault | undefined;
  readonly ready: Promise<DaemonCore>;
  readonly resolve: (core: DaemonCore) => void;
}

/**
 * Start order: both sockets listen first, because dockerd may be waiting for them; then the libraries, the
 * store, the node name, the kernel. Stop order is the reverse, running calls are finished.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, log } = options;
  const stopping = new AbortController();
  for (const directory of [config.stateDir, config.runDir])
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  const behind = newBehind();
  const { createPending } = await import('./reconcile/index.js');
  const { performPending } = await import('./pending-work.js');
  const where = { node: config.nodeName.name, namespace: config.namespace };
  const pending = createPending({
    directory: join(config.stateDir, 'pending'),
    log,
    clock: systemClock,
    perform: async (work, signal) =>
      performPending(work, (await coreOf(behind, signal)).plugin, where, signal),
  });
  const observers: CallObserver[] = [];
  const servers = createServers(options, behind, pending, (call) =>
    observers.forEach((observe) => observe(call)),
  );
  await listen(options, servers);
  const { nodeName, pluginDir } = config;
  log.info(
    { node: nodeName.name, version: options.version, scope: options.scope, pluginDir },
    'plugin sockets answer',
  );
  let services: LocalServices | undefined;
  const bringUp = async (): Promise<void> => {
    await sleep(LOAD_AFTER_MS, stopping.signal);
    services = await openLocalServices(options, behind, pending);
    observers.push(services.observe);
    await services.coreReady(await keepTrying(options, behind, pending, stopping.signal));
  };
  const running = bringUp().catch((error: unknown) => {
    if (!stopping.signal.aborted) log.error({ err: error }, 'the daemon did not come up');
  });
  return {
    async stop() {
      await Promise.all(servers.map(({ server }) => server.close()));
      stopping.abort(new Fault('unavailable', 'the daemon is stopping', { reason: 'stopped' }));
      await running;
      await services?.stop();
      await behind.core?.stop();
      await pending.stop();
    },
  };
}

async function openLocalServices(
  options: DaemonOptions,
  behind: Behind,
  pending: Pending,
): Promise<LocalServices> {
  const { config, version, scope, log } = options;
  const { startLocalServices } = await import('./local-services.js');
  const { describeDaemon } = await import('./status.js');
  const started = systemClock.monotonic();
  return startLocalServices({
    config,
    core: () => behind.core,
    failure: () => behind.failure,
    status: () => {
      const { core, failure } = behind;
      return describeDaemon({
        config,
        version,
        scope,
        core,
        failure,
        pending,
        uptimeMs: systemClock.monotonic() - started,
      });
    },
    log,
  });
}

function newBehind(): Behind {
  let resolve: (core: DaemonCore) => void = () => undefined;
  const ready = new Promise<DaemonCore>((done) => {
    resolve = done;
  });
  return { core: undefined, failure: undefined, ready, resolve };
}

/** Waits for the first contact; a call that ends before is told why there is none. */
async function coreOf(behind: Behind, signal: AbortSignal): Promise<DaemonCore> {
  if (behind.core !== undefined) return behind.core;
  try {
    return await orAbort(behind.ready, signal, 'the first contact with the datastore');
  } catch (error) {
    if (behind.failure !== undefined && isFault(error, 'timeout')) throw behind.failure;
    throw error;
  }
}

interface NamedServer {
  readonly name: string;
  readonly passed: number | undefined;
  readonly server: PluginServer;
}

function createServers(
  options: DaemonOptions,
  behind: Behind,
  pending: Pending,
  observe: CallObserver,
): readonly NamedServer[] {
  const { config, log, passedSockets } = options;
  const { callTimeoutMs, deleteTimeoutMs, bootWaitMs, driverName, ipamDriverName } = config;
  const bootTimeoutMs = (): number => (behind.core === undefined ? bootWaitMs : callTimeoutMs);
  const common = { callTimeoutMs, deleteTimeoutMs, bootTimeoutMs, pending, log };
  const driverMethods = createDriverMethods({
    ...common,
    core: async (signal) => (await coreOf(behind, signal)).plugin.driver,
    scope: options.scope,
  });
  const ipamMethods = createIpamMethods({
    ...common,
    core: async (signal) => (await coreOf(behind, signal)).plugin.ipam,
    refreshPools: async (signal) => (await coreOf(behind, signal)).plugin.refreshPools(signal),
    names: { driver: driverName, ipamDriver: ipamDriverName },
  });
  const server = (
    name: string,
    errorField: 'Err' | 'Error',
    methods: typeof driverMethods,
  ): PluginServer =>
    createPluginServer({ name, errorField, methods, log, clock: systemClock, observe });
  return [
    {
      name: driverName,
      passed: passedSockets.network,
      server: server(driverName, 'Err', driverMethods),
    },
    {
      name: ipamDriverName,
      passed: passedSockets.ipam,
      server: server(ipamDriverName, 'Error', ipamMethods),
    },
  ];
}

async function listen({ config }: DaemonOptions, servers: readonly NamedServer[]): Promise<void> {
  for (const { name, passed, server } of servers) {
    const at =
      passed === undefined ? { path: join(config.pluginDir, `${name}.sock`) } : { fd: passed };
    await server.listen(at);
  }
}

/** The store may come up long after us, or go through us: tried until it answers. */
async function keepTrying(
  options: DaemonOptions,
  behind: Behind,
  pending: Pending,
  signal: AbortSignal,
): Promise<DaemonCore> {
  const { config, log, version, osHostname, scope } = options;
  const onNetworkCount = (count: number): void => keepScope(config.stateDir, scope, count);
  const { startDaemonCore } = await import('./daemon-core.js');
  for (const pause of backoff(250, 5_000)) {
    try {
      const core = await startDaemonCore({
        config,
        version,
        osHostname,
        log,
        clock: systemClock,
        pending,
        onNetworkCount,
        signal,
      });
      behind.core = core;
      behind.failure = undefined;
      behind.resolve(core);
      pending.wake();
      log.info({ store: core.store.description }, 'ready');
      return core;
    } catch (error) {
      if (signal.aborted) throw error;
      behind.failure = explained(toFault(error));
      log.warn(
        {
          kind: behind.failure.kind,
          reason: behind.failure.reason,
          error: behind.failure.message,
          retryMs: pause,
        },
        'not ready, trying again',
      );
    }
    await sleep(pause, signal);
  }
  throw new Fault('internal', 'invariant broken: back-off ended');
}

/** While networks exist their scope is on file: the next start must not answer another one. */
function keepScope(stateDir: string, scope: NetworkScope, networks: number): void {
  const path = scopeFile(stateDir);
  if (networks === 0) rmSync(path, { force: true });
  else if (!existsSync(path)) writeFileSync(path, scope, { mode: 0o600 });
}

/** Where `keepScope` writes. */
export function scopeFile(stateDir: string): string {
  return join(stateDir, 'network-scope');
}

function explained(fault: Fault): Fault {
  if (fault.kind !== 'timeout') return fault;
  return new Fault('unavailable', messageOf(fault), { reason: fault.reason, cause: fault });
}
