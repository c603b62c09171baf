import { Fault, messageOf, orAbort, sleep, type Clock } from '../../base/index.js';
import { createClient, type Client, type Metadata, type Service, type Stream } from './client.js';
import { failureOf, isStatus, MemberError, ownFailure, type Failure } from './failure.js';
import { loadTls, sameTls, type EtcdTlsOptions, type TlsMaterial } from './tls.js';

export interface MemberOptions {
  /** With scheme. */
  readonly endpoint: string;
  readonly tls?: EtcdTlsOptions;
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly clock: Clock;
}

export interface Call {
  readonly service: Service;
  readonly method: string;
  readonly request: unknown;
}

/**
 * One endpoint. Rejections are MemberError, or a Fault of kind `invalid` for unusable TLS files.
 */
export interface Member {
  readonly endpoint: string;
  /** Connected now, as far as gRPC knows; a frozen member counts until its pings fail. */
  isConnected(): boolean;
  /** Settles when connected; goes on trying until the signal fires, except when TLS fails. */
  connect(signal: AbortSignal): Promise<void>;
  /** A unary call, authenticated if need be. `deadline` in milliseconds since the epoch. */
  call(call: Call, deadline: number, signal?: AbortSignal): Promise<unknown>;
  /** An authenticated stream that ends when the member loses its leader. */
  stream(service: Service, method: string, deadline: number): Promise<Stream>;
  close(): void;
}

// grpc-js's ConnectivityState.
const READY = 2;
const TRANSIENT_FAILURE = 3;
const SHUTDOWN = 4;
const PROBE_MS = 200;
const RELOAD_EVERY_MS = 1000;

interface Loaded {
  readonly client: Client;
  readonly tls: TlsMaterial | undefined;
}

export function createMember(options: MemberOptions): Member {
  const { endpoint, clock } = options;
  let loading: Promise<Loaded> | undefined;
  let loaded: Loaded | undefined;
  let reloadedAt = -Infinity;
  let token: Promise<string | undefined> | undefined;
  let closed = false;

  async function load(): Promise<Loaded> {
    if (closed) throw new MemberError(ownFailure('stopped', endpoint, false));
    loading ??= build(options).then(
      (built) => {
        loaded = built;
        if (closed) built.client.close();
        return built;
      },
      (error: unknown) => {
        loading = undefined;
        throw error;
      },
    );
    return loading;
  }

  const channel = (): ReturnType<ReturnType<Client['service']>['getChannel']> | undefined =>
    loaded?.client.service('KV').getChannel();

  /** A certificate that was renewed on disk is used from the next connection on. */
  async function reloadTls(): Promise<void> {
    if (options.tls === undefined || clock.monotonic() - reloadedAt < RELOAD_EVERY_MS) return;
    reloadedAt = clock.monotonic();
    const tls = await loadTls(options.tls);
    if (loaded === undefined || sameTls(tls, loaded.tls)) return;
    loaded.client.close();
    [loaded, loading, token] = [undefined, undefined, undefined];
    await load();
  }

  async function connect(signal: AbortSignal): Promise<void> {
    let last = ownFailure('deadline', endpoint, true);
    try {
      while (!signal.aborted) {
        const { client } = await load();
        const state = client.service('KV').getChannel().getConnectivityState(true);
        if (state === READY) return;
        if (state === SHUTDOWN && closed)
          throw new MemberError(ownFailure('stopped', endpoint, false));
        if (state === TRANSIENT_FAILURE) {
          last = (await probe(client)) ?? last;
          await reloadTls();
          if (last.reason === 'tls') throw new MemberError(last);
          await sleep(50, signal);
        } else {
          await stateChange(client, state, signal);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    throw new MemberError(last);
  }

  async function stateChange(client: Client, state: number, signal: AbortSignal): Promise<void> {
    const changed = new Promise<void>((resolve) => {
      // Without a deadline of its own grpc-js starts no timer; the signal ends the wait.
      client
        .service('KV')
        .getChannel()
        .watchConnectivityState(state, Infinity, () => resolve());
    });
    await orAbort(changed, signal);
  }

  /** Why there is no connection: only a call says it, and in this state it fails at once. */
  async function probe(client: Client): Promise<Failure | undefined> {
    const call: Call = { service: 'KV', method: 'range', request: { key: Buffer.from('/') } };
    try {
      await unary(client, call, client.metadata(), clock.now() + PROBE_MS);
    } catch (error) {
      if (error instanceof MemberError && error.failure.reason !== 'deadline') return error.failure;
    }
    return undefined;
  }

  function unary(
    client: Client,
    call: Call,
    metadata: Metadata,
    deadline: number,
    signal?: AbortSignal,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => pending.cancel();
      const service = client.service(call.service);
      const pending = service.unary(
        call.method,
        call.request,
        metadata,
        { deadline },
        (error, reply) => {
          signal?.removeEventListener('abort', onAbort);
          if (error === null) resolve(reply);
          else reject(asMemberError(error));
        },
      );
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  function asMemberError(error: unknown): unknown {
    return isStatus(error) ? new MemberError(failureOf(error, endpoint), error) : error;
  }

  /** A new token; undefined when this etcd has authentication off, which etcd's own client accepts too. */
  async function authenticate(client: Client, deadline: number): Promise<string | undefined> {
    const { username: name, password } = options.credentials ?? { username: '', password: '' };
    const call: Call = { service: 'Auth', method: 'authenticate', request: { name, password } };
    try {
      const reply = (await unary(client, call, client.metadata(), deadline)) as { token: string };
      return reply.token;
    } catch (error) {
      const cause = error instanceof MemberError ? error.cause : error;
      if (isStatus(cause) && cause.details.includes('authentication is not enabled'))
        return undefined;
      throw error;
    }
  }

  async function metadataFor(client: Client, deadline: number): Promise<Metadata> {
    const metadata = client.metadata();
    // A member that is cut off from the cluster refuses at once instead of serving old news.
    metadata.set('hasleader', 'true');
    if (options.credentials === undefined) return metadata;
    token ??= authenticate(client, deadline);
    try {
      const value = await token;
      if (value !== undefined) metadata.set('token', value);
    } catch (error) {
      token = undefined;
      throw error instanceof MemberError ? neverSent(error) : error;
    }
    return metadata;
  }

  return {
    endpoint,
    isConnected: () => channel()?.getConnectivityState(false) === READY,
    connect,
    call: async (call, deadline, signal) => {
      const { client } = await load();
      for (let renewed = false; ; renewed = true) {
        const used = await metadataFor(client, deadline);
        try {
          return await unary(client, call, used, deadline, signal);
        } catch (error) {
          const spoilt = error instanceof MemberError && error.failure.renewToken;
          if (!spoilt || renewed || options.credentials === undefined) throw error;
          token = undefined;
        }
      }
    },
    stream: async (service, method, deadline) => {
      const { client } = await load();
      return client.service(service).stream(method, await metadataFor(client, deadline));
    },
    close: () => {
      closed = true;
      loaded?.client.close();
    },
  };
}

async function build({ endpoint, tls: files }: MemberOptions): Promise<Loaded> {
  const tls = await loadTls(files);
  try {
    return { client: await createClient(endpoint, tls), tls };
  } catch (error) {
    if (error instanceof Fault) throw error;
    const message = `no TLS client for ${endpoint} can be made of the files given: ${messageOf(error)}`;
    throw new Fault('invalid', message, { reason: 'tls-file', cause: error });
  }
}

/** The request that was to follow a failed authentication did not go out. */
function neverSent(error: MemberError): MemberError {
  return new MemberError({ ...error.failure, notDone: true }, error.cause);
}
