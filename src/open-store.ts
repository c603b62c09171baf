import { join } from 'node:path';
import { Fault, type Log } from './base/index.js';
import type { DatastoreConfig } from './config/index.js';
import type { Store } from './datastore/index.js';

/** The store that the configuration names. Its libraries are loaded here, not at the start of the process. */
export async function openStore(
  config: DatastoreConfig,
  stateDir: string,
  log: Log,
): Promise<Store> {
  if (config.type === 'embedded') {
    const { createEmbeddedStore } = await import('./datastore/embedded/index.js');
    return createEmbeddedStore({ directory: join(stateDir, 'datastore'), log });
  }
  const { createEtcdStore } = await import('./datastore/etcd/index.js');
  const endpoints =
    config.discoverySrv === undefined ? config.endpoints : await discovered(config.discoverySrv);
  const ca = config.caCert ?? config.caCertFile;
  const cert = config.cert ?? config.certFile;
  const key = config.key ?? config.keyFile;
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  const { username, password } = config;
  return createEtcdStore({
    endpoints,
    log,
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(username === undefined || password === undefined ? {} : { username, password }),
  });
}

/** Members by SRV records `_etcd-client-ssl._tcp` or `_etcd-client._tcp`, as etcd's own clients look them up. */
async function discovered(domain: string): Promise<string[]> {
  const { resolveSrv } = await import('node:dns/promises');
  for (const [service, scheme] of [
    ['etcd-client-ssl', 'https'],
    ['etcd-client', 'http'],
  ] as const) {
    const records = await resolveSrv(`_${service}._tcp.${domain}`).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') return [];
        throw new Fault(
          'unavailable',
          `cannot look up etcd under ${domain}: ${error.code ?? error.message}`,
          { cause: error },
        );
      },
    );
    if (records.length > 0) return records.map(({ name, port }) => `${scheme}://${name}:${port}`);
  }
  throw new Fault('invalid', `no SRV record of etcd under ${domain}: set etcdEndpoints instead`, {
    reason: 'datastore-config',
  });
}
