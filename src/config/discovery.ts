import { resolveSrv } from 'node:dns/promises';
import { Fault, messageOf, orAbort } from '../base/index.js';
import type { EtcdConfig } from './datastore-config.js';

/**
 * The endpoints to connect to: those that are configured, or the ones that the SRV records of the
 * discovery domain name (services `etcd-client-ssl` and `etcd-client`, as etcd's own clients look
 * them up). Throws `unavailable` when the domain has none.
 */
export async function endpointsOf(
  config: EtcdConfig,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const domain = config.discoverySrv;
  if (domain === undefined) return config.endpoints;
  const found: string[] = [];
  let failure: unknown;
  for (const [service, scheme] of [
    ['etcd-client-ssl', 'https'],
    ['etcd-client', 'http'],
  ] as const) {
    try {
      const records = await orAbort(resolveSrv(`_${service}._tcp.${domain}`), signal, 'DNS lookup');
      found.push(...records.map(({ name, port }) => `${scheme}://${name}:${port}`));
    } catch (error) {
      failure ??= error;
    }
  }
  if (found.length > 0) return found;
  const message = `no etcd endpoints found in the SRV records of ${domain}: ${messageOf(failure)}`;
  throw new Fault('unavailable', message, { reason: 'discovery', cause: failure });
}
