import { createLog, deadline, type LogLevel } from '../base/index.js';
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

/**
 * The datastore that calicoctl's configuration names; without one the embedded store of this host,
 * through its daemon, which alone may write it.
 */
export async function openStore(given: Inputs, options: StoreOptions): Promise<Store> {
  const inputs = withEruFile(given);
  const configured = readDatastoreConfig(inputs, options.config);
  if (configured?.type === 'etcdv3') return openEtcd(configured, options);
  const { createAdminClient } = await import('../admin/index.js');
  return createAdminClient(adminSocket(inputs)).openStore();
}

/** What the daemon of this host says about itself. */
export async function readStatus(inputs: Inputs, socket?: string): Promise<unknown> {
  const { createAdminClient } = await import('../admin/index.js');
  return createAdminClient(socket ?? adminSocket(withEruFile(inputs))).status();
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
