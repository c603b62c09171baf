import type { Etcd3, IOptions } from 'etcd3';
import type { TlsMaterial } from './tls.js';

/** gRPC service names of etcd v3 that are used. */
export type Service = 'KV' | 'Watch' | 'Lease' | 'Auth';

export interface Metadata {
  set(key: string, value: string): void;
  clone(): Metadata;
}

export interface UnaryCall {
  cancel(): void;
}

/** A bidirectional gRPC stream as grpc-js makes it. */
export interface Stream {
  write(message: unknown): boolean;
  cancel(): void;
  on(event: 'data', listener: (message: unknown) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

export interface Channel {
  getConnectivityState(connect: boolean): number;
  watchConnectivityState(state: number, deadline: number, callback: (error?: Error) => void): void;
}

type Reply = (error: Error | null, reply: unknown) => void;

/** The methods of a service client are made from the protocol files at run time. */
export interface ServiceClient {
  getChannel(): Channel;
  unary(
    method: string,
    request: unknown,
    metadata: Metadata,
    options: { readonly deadline: number },
    reply: Reply,
  ): UnaryCall;
  stream(method: string, metadata: Metadata): Stream;
}

/** One endpoint's channel: etcd3's protocol files and connection, none of its fault handling. */
export interface Client {
  service(name: Service): ServiceClient;
  metadata(): Metadata;
  close(): void;
}

/** What of etcd3's internals is used: the way to a service client that grpc-js made. */
interface Pool {
  withConnection<T>(
    service: Service,
    fn: (connection: { readonly client: RawClient; readonly metadata: Metadata }) => T,
  ): Promise<T>;
}

interface RawClient {
  getChannel(): Channel;
  readonly [method: string]: unknown;
}

/**
 * The pings find a frozen member within 3 s. HTTP proxies of the environment are not for etcd.
 * Reconnects are tried every second at most; messages have no bound but etcd's own.
 */
const CHANNEL_OPTIONS: NonNullable<IOptions['grpcOptions']> = {
  'grpc.keepalive_time_ms': 2000,
  'grpc.keepalive_timeout_ms': 1000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.enable_http_proxy': 0,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

/** Loads etcd3 on the first call; nothing is connected yet. */
export async function createClient(
  endpoint: string,
  tls: TlsMaterial | undefined,
): Promise<Client> {
  const [{ Etcd3: Constructor }, { noop }] = await Promise.all([
    import('etcd3'),
    import('cockatiel'),
  ]);
  const etcd = new Constructor({
    hosts: [endpoint],
    faultHandling: { host: () => noop, global: noop },
    grpcOptions: CHANNEL_OPTIONS,
    ...(tls && endpoint.startsWith('https:') ? { credentials: credentialsOf(tls) } : {}),
  });
  const pool = (etcd as unknown as { readonly pool: Pool }).pool;
  const services = new Map<Service, ServiceClient>();
  let empty: Metadata | undefined;
  for (const name of ['KV', 'Watch', 'Lease', 'Auth'] as const) {
    await pool.withConnection(name, ({ client, metadata }) => {
      services.set(name, wrap(client));
      empty = metadata;
    });
  }
  return clientOf(etcd, services, empty);
}

function clientOf(
  etcd: Etcd3,
  services: ReadonlyMap<Service, ServiceClient>,
  empty: Metadata | undefined,
): Client {
  return {
    service: (name) => {
      const found = services.get(name);
      if (found === undefined) throw new Error(`no service ${name}`);
      return found;
    },
    metadata: () => {
      if (empty === undefined) throw new Error('no metadata');
      return empty.clone();
    },
    close: () => etcd.close(),
  };
}

function credentialsOf(tls: TlsMaterial): NonNullable<IOptions['credentials']> {
  return {
    // etcd3's types want an authority; grpc-js takes none for the system's own.
    rootCertificate: tls.ca as Buffer,
    ...(tls.cert && tls.key ? { certChain: tls.cert, privateKey: tls.key } : {}),
  };
}

function wrap(raw: RawClient): ServiceClient {
  const method = (name: string): ((...args: readonly unknown[]) => unknown) => {
    const found = raw[name];
    if (typeof found !== 'function') throw new Error(`no method ${name}`);
    return found.bind(raw) as (...args: readonly unknown[]) => unknown;
  };
  return {
    getChannel: () => raw.getChannel(),
    unary: (name, request, metadata, options, reply) =>
      method(name)(request, metadata, options, reply) as UnaryCall,
    stream: (name, metadata) => method(name)(metadata, {}) as Stream,
  };
}
