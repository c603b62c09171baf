import { join } from 'node:path';
import type {
  AdminClient,
  Containers,
  CountersAnswer,
  CountersRequest,
  FlowsAnswer,
} from '../admin/index.js';
import { createLog, deadline, Fault, isFault, type LogLevel } from '../base/index.js';
import {
  adminSocketOf,
  endpointsOf,
  readDaemonConfig,
  readDatastoreConfig,
  withEruFile,
  type ConfigInputs,
  type EtcdConfig,
} from '../config/index.js';
import type { Store } from '../datastore/index.js';
import type { StoreOptions } from './io.js';

type Inputs = Omit<ConfigInputs, 'argv'>;

const DISCOVERY_MS = 5000;
const DAEMON_MS = 5000;
/** Large tables of the kernel take a while. */
const KERNEL_MS = 10_000;

/**
 * The datastore that calicoctl's configuration names; without one the embedded store of this host,
 * through its daemon, which alone may write it.
 */
export async function openStore(given: Inputs, options: StoreOptions): Promise<Store> {
  const inputs = withEruFile(given);
  const configured = readDatastoreConfig(inputs, options.config);
  if (configured?.type === 'etcdv3') return openEtcd(configured, options);
  const path = adminSocket(inputs);
  const { createAdminClient } = await import('../admin/index.js');
  const store = createAdminClient(path).openStore();
  if (options.unused === true && !(await answers(store))) {
    await store.close();
    return openUnused(inputs, options);
  }
  await orHowToStart(
    store.identify({ signal: deadline(DAEMON_MS) }),
    'no etcd is configured, and the embedded datastore of this host is reached through its daemon',
    ', or name etcd in /etc/calico/calicoctl.cfg or ETCD_ENDPOINTS',
  );
  return store;
}

/** Whether a daemon has the embedded datastore open. */
async function answers(store: Store): Promise<boolean> {
  try {
    await store.identify({ signal: deadline(DAEMON_MS) });
    return true;
  } catch {
    // No daemon, or one with another datastore: if it is a third reason, opening the files will tell.
    return false;
  }
}

/** The embedded datastore's own files; `unavailable` when another process has them open after all. */
async function openUnused(inputs: Inputs, { logLevel }: StoreOptions): Promise<Store> {
  const { stateDir } = readDaemonConfig({ ...inputs, argv: [] }).settings;
  const { createEmbeddedStore } = await import('../datastore/embedded/index.js');
  const directory = join(stateDir, 'datastore');
  return createEmbeddedStore({ directory, log: createLog(levelOf(logLevel)) });
}

/** What the daemon of this host says about itself. */
export async function readStatus(inputs: Inputs, socket?: string): Promise<unknown> {
  const path = socket ?? adminSocket(withEruFile(inputs));
  const { createAdminClient } = await import('../admin/index.js');
  const status = createAdminClient(path).status({ signal: deadline(DAEMON_MS) });
  return orHowToStart(status, 'the status comes from the daemon', '');
}

/** What the rules of an endpoint have counted in this host's kernel. */
export async function readCounters(
  inputs: Inputs,
  endpoint: CountersRequest,
): Promise<CountersAnswer> {
  return (await adminClient(inputs)).counters(endpoint, { signal: deadline(KERNEL_MS) });
}

/** The connections of this host's containers. */
export async function readFlows(inputs: Inputs): Promise<FlowsAnswer> {
  return (await adminClient(inputs)).flows({ signal: deadline(KERNEL_MS) });
}

/** Attaching containers; the daemon has Docker do it. */
export function containersOf(inputs: Inputs): Containers {
  return {
    add: async (request) => (await adminClient(inputs)).addContainer(request),
    remove: async (request) => (await adminClient(inputs)).removeContainer(request),
  };
}

async function adminClient(inputs: Inputs): Promise<AdminClient> {
  const { createAdminClient } = await import('../admin/index.js');
  return createAdminClient(adminSocket(withEruFile(inputs)));
}

/** A daemon that does not answer is told together with how it is started. */
async function orHowToStart<T>(answer: Promise<T>, why: string, instead: string): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isFault(error, 'unavailable', 'timeout')) throw error;
    const message = `${why}: ${error.message.replace(/; is calico-libnetwork running\?$/, '')}; start it with systemctl start calico-libnetwork${instead}`;
    throw new Fault('unavailable', message, { reason: 'no-daemon', cause: error });
  }
}

function adminSocket(inputs: Inputs): string {
  return adminSocketOf(readDaemonConfig({ ...inputs, argv: [] }).settings);
}

async function openEtcd(config: EtcdConfig, { logLevel }: StoreOptions): Promise<Store> {
  const endpoints = await endpointsOf(config, deadline(DISCOVERY_MS));
  const { createEtcdStore } = await import('../datastore/etcd/index.js');
  const { username, password } = config;
  const ca = config.caCert ?? config.caCertFile;
  const cert = config.cert ?? config.certFile;
  const key = config.key ?? config.keyFile;
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  return createEtcdStore({
    endpoints,
    log: createLog(levelOf(logLevel)),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  });
}

/** calicoctl's levels; `panic` and `fatal` say nothing, because every failure is printed anyway. */
function levelOf(level: string | undefined): LogLevel {
  switch (level) {
    case 'debug':
    case 'info':
    case 'warn':
    case 'error':
      return level;
    case 'warning':
      return 'warn';
    default:
      return 'silent';
  }
}
