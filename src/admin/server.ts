import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Fault, toFault, type FaultKind, type Log } from '../base/index.js';
import { stringifyJson, type Store } from '../datastore/index.js';
import { addContainerRoutes, type Containers } from './containers.js';
import { CountersBody, type CountersRequest, type HostInsight } from './host-insight.js';
import {
  CommitBody,
  GetBody,
  GetManyBody,
  ListBody,
  WatchBody,
  type CommitRequest,
  type GetManyRequest,
  type GetRequest,
  type ListRequest,
  type WatchRequest,
} from './schema.js';
import { listenOn } from './socket.js';
import { streamWatch } from './watch-stream.js';
import {
  fromCommitRequest,
  toWireCommit,
  toWireEntry,
  toWireFault,
  toWirePairs,
  toWireSnapshot,
} from './wire.js';

export interface AdminServerOptions {
  /** Unix socket, mode 0600. */
  readonly path: string;
  /**
   * The embedded store, which no other process can open; absent when the daemon uses etcd. As a function: it
   * may not be open yet, or it may turn out that the daemon uses etcd (undefined).
   */
  readonly store?: Store | (() => Promise<Store | undefined>);
  /** What `calicoctl node status` shows; may hold bigints. */
  readonly status: () => Promise<unknown>;
  /** What the host's kernel knows; `unsupported` is answered without it. */
  readonly insight?: HostInsight;
  /** What the daemon does with containers for calicoctl; `unsupported` is answered without it. */
  readonly containers?: Containers;
  readonly log: Log;
}

export interface AdminServer {
  /** `refused` when another process listens there. */
  listen(): Promise<void>;
  /** Cuts open connections and removes the socket. */
  close(): Promise<void>;
}

/** A commit of 1.5 MiB whose every character is escaped. */
const BODY_LIMIT = 16 * 1024 * 1024;

const STATUS: Readonly<Record<FaultKind, number>> = {
  invalid: 400,
  unsupported: 501,
  'not-found': 404,
  exists: 409,
  conflict: 409,
  exhausted: 409,
  refused: 403,
  unavailable: 503,
  'outcome-unknown': 500,
  timeout: 504,
  corrupt: 500,
  internal: 500,
};

/** The daemon's own socket. fastify is loaded on `listen`. */
export function createAdminServer(options: AdminServerOptions): AdminServer {
  let running: { readonly app: FastifyInstance; readonly server: Server } | undefined;
  return {
    listen: async () => {
      const built = await build(options);
      try {
        await listenOn(built.server, options.path);
      } catch (error) {
        await built.app.close();
        throw error;
      }
      running = built;
    },
    close: async () => {
      if (running === undefined) return;
      const { app, server } = running;
      running = undefined;
      // Node removes the socket file with the listener.
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, app.close()]);
    },
  };
}

async function build(
  options: AdminServerOptions,
): Promise<{ readonly app: FastifyInstance; readonly server: Server }> {
  const { fastify } = await import('fastify');
  let server: Server | undefined;
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    serverFactory: (handler) => (server = createServer(handler)),
    // A wrong type is an error, not something to be bent; unknown members are mistakes.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  });
  app.get('/status', async (_, reply) => json(reply, await options.status()));
  addStoreRoutes(app, options.store);
  addInsightRoutes(app, options.insight);
  addContainerRoutes(app, options.containers, json);
  app.setErrorHandler((error, _, reply) => {
    const fault = asFault(error);
    if (fault.kind === 'internal') options.log.error({ err: error }, 'an admin request failed');
    return json(reply.code(STATUS[fault.kind]), { fault: toWireFault(fault) });
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `there is no ${request.method} ${request.url} on the admin socket`;
    return json(reply.code(404), { fault: toWireFault(new Fault('not-found', message)) });
  });
  await app.ready();
  if (server === undefined) throw new Fault('internal', 'fastify made no server');
  return { app, server };
}

function addStoreRoutes(app: FastifyInstance, from: AdminServerOptions['store']): void {
  const given = async (): Promise<Store> => {
    const store = typeof from === 'function' ? await from() : from;
    if (store !== undefined) return store;
    const message = 'the daemon keeps its data in etcd, not in itself: ask etcd directly';
    throw new Fault('unsupported', message, { reason: 'no-embedded-store' });
  };
  app.post<{ Body: GetRequest }>(
    '/store/get',
    { schema: { body: GetBody } },
    async (request, reply) => {
      const entry = await (await given()).get(request.body.key);
      return json(reply, { entry: entry === undefined ? null : toWireEntry(entry) });
    },
  );
  app.post<{ Body: GetManyRequest }>(
    '/store/get-many',
    { schema: { body: GetManyBody } },
    async (request, reply) =>
      json(reply, { entries: toWirePairs(await (await given()).getMany(request.body.keys)) }),
  );
  app.post<{ Body: ListRequest }>(
    '/store/list',
    { schema: { body: ListBody } },
    async (request, reply) =>
      json(reply, toWireSnapshot(await (await given()).list(request.body.prefixes))),
  );
  app.post<{ Body: CommitRequest }>(
    '/store/commit',
    { schema: { body: CommitBody } },
    async (request, reply) =>
      json(reply, toWireCommit(await (await given()).commit(fromCommitRequest(request.body)))),
  );
  app.get('/store/identity', async (_, reply) => {
    const { id, revision } = await (await given()).identify();
    return json(reply, { id, revision: revision.toString() });
  });
  app.post<{ Body: WatchRequest }>(
    '/store/watch',
    { schema: { body: WatchBody } },
    async (request, reply) => {
      const watched = await given();
      reply.hijack();
      streamWatch(watched, request.body, reply.raw);
    },
  );
}

function addInsightRoutes(app: FastifyInstance, insight: HostInsight | undefined): void {
  const given = (): HostInsight => {
    if (insight !== undefined) return insight;
    throw new Fault('unsupported', 'this daemon does not look into the kernel');
  };
  app.post<{ Body: CountersRequest }>(
    '/policy/counters',
    { schema: { body: CountersBody } },
    async (request, reply) => json(reply, await given().counters(request.body)),
  );
  app.get('/flows', async (_, reply) => json(reply, await given().flows()));
}

function json(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(stringifyJson(body));
}

/** fastify's own refusals (shape, size, content type) are about the request. */
function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status < 400 || status > 499) return toFault(error);
  return new Fault('invalid', `the admin request is wrong: ${toFault(error).message}`, {
    cause: error,
  });
}
