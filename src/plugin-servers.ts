import { join } from 'node:path';
import { systemClock, type Log } from './base/index.js';
import {
  constantMethod,
  createPluginServer,
  type CallObserver,
  type PluginMethod,
  type PluginServer,
} from './rpc/index.js';

export interface NamedServer {
  readonly name: string;
  /** A listening socket that systemd passed. */
  readonly passed: number | undefined;
  readonly server: PluginServer;
}

type Methods = ReadonlyMap<string, PluginMethod>;

interface ServerOptions {
  readonly names: { readonly driverName: string; readonly ipamDriverName: string };
  readonly passed: { readonly network?: number; readonly ipam?: number };
  readonly log: Log;
  readonly observe: CallObserver;
}

const ACTIVATE_BOTH = [
  'Plugin.Activate',
  constantMethod({ Implements: ['NetworkDriver', 'IpamDriver'] }),
] as const;

/** One server for each driver; a managed plugin has one name, and so one socket, for both (plugin protocol §1.7). */
export function pluginServers(
  { names, passed, log, observe }: ServerOptions,
  methods: { readonly driver: Methods; readonly ipam: Methods },
): readonly NamedServer[] {
  const { driverName, ipamDriverName } = names;
  const named = (name: string, own: Methods, fd: number | undefined): NamedServer => ({
    name,
    passed: fd,
    server: createPluginServer({ name, methods: own, log, clock: systemClock, observe }),
  });
  if (driverName === ipamDriverName) {
    const both = new Map([...methods.ipam, ...methods.driver, ACTIVATE_BOTH]);
    return [named(driverName, both, passed.network)];
  }
  return [
    named(driverName, methods.driver, passed.network),
    named(ipamDriverName, methods.ipam, passed.ipam),
  ];
}

export async function listenAll(pluginDir: string, servers: readonly NamedServer[]): Promise<void> {
  for (const { name, passed, server } of servers) {
    const at = passed === undefined ? { path: join(pluginDir, `${name}.sock`) } : { fd: passed };
    await server.listen(at);
  }
}
