import { messageOf, type Fault, type Log } from './base/index.js';
import type { AdminServer } from './admin/index.js';
import type { DaemonConfig } from './config/index.js';
import { containerAttachment } from './container-attachment.js';
import type { DaemonCore } from './daemon-core.js';
import { hostInsight } from './host-insight.js';
import type { Metrics, MetricsServer } from './metrics/index.js';
import { declarePolicySeries } from './policy-series.js';
import type { CallObserver } from './rpc/index.js';

export interface LocalServicesOptions {
  readonly config: DaemonConfig;
  readonly core: () => DaemonCore | undefined;
  /** Waits for the datastore, within the bound of a call; throws why it is not there. */
  readonly waitForCore: () => Promise<DaemonCore>;
  readonly failure: () => Fault | undefined;
  readonly status: () => Record<string, unknown>;
  readonly log: Log;
}

export interface LocalServices {
  /** Told of every call on the plugin sockets. */
  readonly observe: CallObserver;
  stop(): Promise<void>;
}

/**
 * The admin socket for calicoctl, and metrics and health when a port is configured. They are no condition for
 * containers: what cannot be opened is logged and left out.
 */
export async function startLocalServices(options: LocalServicesOptions): Promise<LocalServices> {
  const { config, log } = options;
  const { createMetrics, createMetricsServer } = await import('./metrics/index.js');
  const metrics = createMetrics();
  const observe = declareSeries(metrics, options);
  let metricsServer: MetricsServer | undefined;
  if (config.metricsPort > 0) {
    const { metricsHost: host, metricsPort: port } = config;
    metricsServer = createMetricsServer({
      host,
      port,
      registry: metrics,
      live: () => true,
      ready: () => readiness(options),
      log,
    });
    await orWarn(log, 'metrics are not served', metricsServer.listen());
    await metrics.includeProcess();
  }
  const admin = await openAdmin(options);
  return {
    observe,
    async stop() {
      await admin?.close();
      await metricsServer?.close();
    },
  };
}

async function openAdmin(options: LocalServicesOptions): Promise<AdminServer | undefined> {
  const { config, log, waitForCore } = options;
  const { createAdminServer } = await import('./admin/index.js');
  const server = createAdminServer({
    path: config.adminSocket,
    status: async () => options.status(),
    log,
    containers: containerAttachment(config, waitForCore),
    insight: hostInsight(config.nodeName.name, async () => (await waitForCore()).agent),
    store: async () => {
      const { store } = await waitForCore();
      return store.type === 'embedded' ? store : undefined;
    },
  });
  const opened = await orWarn(
    log,
    'calicoctl cannot reach this daemon',
    server.listen().then(() => true),
  );
  return opened === true ? server : undefined;
}

function readiness({ core, failure }: LocalServicesOptions): {
  readonly ok: boolean;
  readonly reason: string;
} {
  const ready = core();
  if (ready === undefined)
    return { ok: false, reason: failure()?.message ?? 'the datastore was not reached yet' };
  const decision = ready.gate.mayAllocate();
  return decision.ok ? { ok: true, reason: 'ready' } : { ok: false, reason: decision.message };
}

function declareSeries(metrics: Metrics, { core, log }: LocalServicesOptions): CallObserver {
  declarePolicySeries(metrics, () => core()?.agent, log);
  const calls = metrics.histogram<'method' | 'result'>({
    room: 'rpc',
    what: 'call_duration',
    unit: 'seconds',
    help: 'Time from a plugin call of Docker to its answer.',
    labels: ['method', 'result'],
  });
  const gauge = (
    room: string,
    what: string,
    help: string,
    read: (ready: DaemonCore) => number,
  ): void =>
    metrics.readGauge({ room, what, unit: 'count', help }, () => {
      const ready = core();
      return ready === undefined ? 0 : read(ready);
    });
  gauge('driver', 'endpoints', 'Endpoints of this host.', ({ plugin }) => plugin.book.all().length);
  gauge(
    'driver',
    'networks',
    'Networks of this host.',
    ({ plugin }) => plugin.driver.networks.all().length,
  );
  gauge(
    'ipam',
    'blocks',
    'IPAM blocks that this host owns or uses.',
    ({ plugin }) => plugin.ipam.allocator.counts.blocks,
  );
  gauge('node', 'name_held', '1 while this host holds its node name.', ({ hold }) =>
    hold.mayAllocate().ok ? 1 : 0,
  );
  gauge(
    'node',
    'address_conflicts',
    'Addresses of running containers that somebody else holds in the datastore.',
    ({ plugin }) => plugin.claims.conflicts.length,
  );
  gauge('agent', 'in_sync', '1 while the kernel is as it should be.', ({ agent }) =>
    agent.status().state === 'in-sync' ? 1 : 0,
  );
  gauge(
    'reconcile',
    'unproven',
    'Addresses, endpoints and networks that may be left over and are not proven unused.',
    ({ reconciler }) => reconciler.report()?.unproven.length ?? 0,
  );
  gauge(
    'reconcile',
    'freed',
    'Leftovers that were freed since the start.',
    ({ reconciler }) => reconciler.report()?.freedInAll ?? 0,
  );
  return ({ method, result, durationMs }) => calls.observe(durationMs / 1000, { method, result });
}

async function orWarn<T>(log: Log, what: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    log.warn({ error: messageOf(error) }, what);
    return undefined;
  }
}
