import { setMaxListeners } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { backoff, deadline, Fault, sleep, systemClock, toFault, type Log } from './base/index.js';
import type { DaemonConfig } from './config/index.js';
import {
  closeBehind,
  coreOf,
  endExchanged,
  exchangedStore,
  explained,
  newBehind,
  wakeAfterFailedStart,
  type Behind,
} from './first-contact.js';
import type { DaemonCore } from './daemon-core.js';
import { createDriverMethods } from './driver/index.js';
import { createIpamMethods } from './ipam/index.js';
import type { ScopeKeeper } from './keep-scope.js';
import type { LocalServices } from './local-services.js';
import type { Pending } from './reconcile/index.js';
import { listenAll, pluginServers, type NamedServer } from './plugin-servers.js';
import type { CallObserver } from './rpc/index.js';

export interface DaemonOptions {
  readonly config: DaemonConfig;
  readonly version: string;
  readonly osHostname: string;
  readonly scope: ScopeKeeper;
  /** Listening sockets that systemd passed, by the position of their ListenStream. */
  readonly passedSockets: { readonly network?: number; readonly ipam?: number };
  readonly log: Log;
}

export interface Daemon {
  stop(): Promise<void>;
}

/** The first answers must not wait for libraries: loading them holds the event loop for 65 ms. */
const LOAD_AFTER_MS = 100;
/** calicoctl right after a start waits this long for the datastore. */
const ADMIN_WAIT_MS = 5_000;

/**
 * Start order: both sockets listen first, because dockerd may be waiting for them; then the libraries, the
 * store, the node name, the kernel. Stop order is the reverse, running calls are finished.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, log } = options;
  const stopping = new AbortController();
  // Everything that waits in this process hangs on it.
  setMaxListeners(0, stopping.signal);
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
    perform: async (work, signal) => {
      const { plugin } = await coreOf(behind, signal);
      // A copy of this machine asked to free what is the original's: nothing of it may be done later.
      if (work.recordedAt <= (behind.contestedAt ?? 0)) {
        log.warn(
          { kind: work.kind, ...work.payload, reason: 'hold-contested' },
          'deletion dropped',
        );
        return;
      }
      await performPending(work, plugin, where, signal);
    },
  });
  const observers: CallObserver[] = [wakeAfterFailedStart(behind)];
  const servers = createServers(options, behind, pending, (call) =>
    observers.forEach((observe) => observe(call)),
  );
  await listenAll(config.pluginDir, servers);
  const { nodeName, pluginDir } = config;
  log.info(
    { node: nodeName.name, version: options.version, scope: options.scope.current(), pluginDir },
    'plugin sockets answer',
  );
  let services: LocalServices | undefined;
  const bringUp = async (): Promise<void> => {
    await sleep(LOAD_AFTER_MS, stopping.signal);
    services = await openLocalServices(options, behind, pending);
    observers.push(services.observe);
    void import('./return-memory.js').then((it) => it.returnMemory(stopping.signal, log));
    while (!stopping.signal.aborted) {
      const core = await keepTrying(options, behind, pending, stopping.signal);
      const why = await exchangedStore(core.store, stopping.signal);
      log.warn({ reason: why.reason }, `${why.message}; beginning anew`);
      closeBehind(behind, why);
      await endExchanged(core, why, config.stateDir);
    }
  };
  const running = bringUp().catch((error: unknown) => {
    if (!stopping.signal.aborted) log.error({ err: error }, 'the daemon did not come up');
  });
  return {
    async stop() {
      const stopped = new Fault('unavailable', 'the daemon is stopping', { reason: 'stopped' });
      behind.giveUp(stopped);
      await Promise.all(servers.map(({ server }) => server.close()));
      stopping.abort(stopped);
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
    waitForCore: () => coreOf(behind, deadline(ADMIN_WAIT_MS)),
    failure: () => behind.failure,
    status: () => {
      const { core, failure } = behind;
      return describeDaemon({
        config,
        version,
        scope: scope.current(),
        core,
        failure,
        pending,
        uptimeMs: systemClock.monotonic() - started,
      });
    },
    log,
  });
}

function createServers(
  options: DaemonOptions,
  behind: Behind,
  pending: Pending,
  observe: CallObserver,
): readonly NamedServer[] {
  const { config, log, passedSockets } = options;
  const { callTimeoutMs, deleteTimeoutMs, bootWaitMs, driverName, ipamDriverName } = config;
  const bootTimeoutMs = (): number => (behind.wasThere ? callTimeoutMs : bootWaitMs);
  const common = { callTimeoutMs, deleteTimeoutMs, bootTimeoutMs, pending, log };
  const driverMethods = createDriverMethods({
    ...common,
    core: async (signal) => (await coreOf(behind, signal)).plugin.driver,
    scope: () => options.scope.current(),
  });
  const ipamMethods = createIpamMethods({
    ...common,
    core: async (signal) => (await coreOf(behind, signal)).plugin.ipam,
    refreshPools: async (signal) => (await coreOf(behind, signal)).plugin.refreshPools(signal),
    refreshNetworks: async (signal) =>
      (await coreOf(behind, signal)).plugin.refreshNetworks(signal),
    names: { driver: driverName, ipamDriver: ipamDriverName },
  });
  return pluginServers(
    { names: config, passed: passedSockets, log, observe },
    { driver: driverMethods, ipam: ipamMethods },
  );
}

/** The store may come up long after us, or go through us: tried until it answers. */
async function keepTrying(
  options: DaemonOptions,
  behind: Behind,
  pending: Pending,
  signal: AbortSignal,
): Promise<DaemonCore> {
  const { config, log, version, osHostname, scope } = options;
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
        onNetworkCount: (count) => scope.keep(count),
        signal,
      });
      // Whatever was asked of us while another machine had the name was meant for that one.
      if (behind.contestedAt !== undefined) behind.contestedAt = systemClock.now();
      behind.core = core;
      behind.wasThere = true;
      behind.failure = undefined;
      behind.resolve(core);
      pending.wake();
      log.info({ store: core.store.description }, 'ready');
      return core;
    } catch (error) {
      if (signal.aborted) throw error;
      behind.failure = explained(toFault(error));
      if (behind.failure.reason === 'hold-contested') behind.contestedAt = systemClock.now();
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
