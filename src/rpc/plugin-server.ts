import { chmod, mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { dirname } from 'node:path';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import {
  deadline,
  failpoint,
  within,
  Fault,
  messageOf,
  orAbort,
  removeStaleSocket,
  toFault,
  type Clock,
  type Log,
} from '../base/index.js';
import { acceptAnyBody, bodyCheck } from './body.js';
import type { PluginMethod } from './plugin-method.js';
import {
  errorFieldOf,
  errorReply,
  oneLine,
  PLUGIN_MEDIA_TYPE,
  protocolErrorReply,
  type ErrorField,
  type PluginReply,
} from './reply.js';

/** Told once per answered call. */
export type CallObserver = (call: { method: string; result: string; durationMs: number }) => void;

export interface PluginServerOptions {
  /** Docker's name of the driver; the socket is `<name>.sock`. */
  readonly name: string;
  /** Absent: what the engine reads for the driver of the method. */
  readonly errorField?: ErrorField;
  readonly methods: ReadonlyMap<string, PluginMethod>;
  readonly log: Log;
  readonly clock: Clock;
  readonly observe?: CallObserver;
}

export interface PluginServer {
  /** Listens on a path (0600; a stale file is removed) or on a descriptor that systemd passed. */
  listen(at: { readonly path: string } | { readonly fd: number }): Promise<void>;
  /** Refuses new connections, finishes running calls, answers them with `Connection: close`. */
  close(): Promise<void>;
}

/** IDs that every log line of a call carries when the request has them. */
const LOGGED_IDS = ['NetworkID', 'EndpointID', 'PoolID', 'Address'] as const;

/** Docker's plugin protocol over one unix socket (plugin protocol §1.3). */
export function createPluginServer(options: PluginServerOptions): PluginServer {
  let httpServer: Server | undefined;
  let closing = false;
  const server = fastify({
    bodyLimit: 8 * 1024 * 1024,
    keepAliveTimeout: 0,
    requestTimeout: 0,
    exposeHeadRoutes: false,
    // A path that cannot be decoded never reaches the error handler.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      void send(reply, protocolErrorReply(400, messageOf(error)));
    },
    serverFactory: (handler) => {
      // No idle limit: a close that crosses a request makes Docker repeat it with an empty body.
      httpServer = createServer({ keepAliveTimeout: 0, requireHostHeader: false }, handler);
      httpServer.headersTimeout = 0;
      return httpServer;
    },
  });
  acceptAnyBody(server);
  server.setValidatorCompiler<TSchema>(({ schema }) => bodyCheck(schema));
  const send: Send = (reply, answer) => {
    if (closing) reply.header('connection', 'close');
    return reply.code(answer.status).type(PLUGIN_MEDIA_TYPE).send(answer.body);
  };
  for (const [name, method] of options.methods)
    addRoute(server, name, method, { ...options, send });
  server.setNotFoundHandler((request, reply) => {
    options.log.warn({ path: request.url.slice(0, 200) }, 'unknown plugin method');
    return send(
      reply,
      protocolErrorReply(404, `${options.name} has no method ${request.url.slice(0, 200)}`),
    );
  });
  server.setErrorHandler((error, request, reply) => {
    const message = `${request.url.slice(1, 200)}: ${messageOf(error)}`;
    options.log.warn(
      { path: request.url.slice(0, 200), error: messageOf(error) },
      'request refused',
    );
    return send(reply, protocolErrorReply(400, message));
  });
  return {
    async listen(at) {
      await server.ready();
      await listenOn(httpServer as Server, at);
      httpServer?.on('error', (error) => options.log.error({ err: error }, 'plugin socket'));
    },
    async close() {
      closing = true;
      await closeListener(httpServer);
      await server.close();
    },
  };
}

/** Longest time that running calls have while the server stops. */
const CLOSE_MS = 25_000;

/** fastify did not open the listener, so it does not close it either. Settles when the running calls are answered. */
async function closeListener(server: Server | undefined): Promise<void> {
  if (server?.listening !== true) return;
  await new Promise<void>((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeIdleConnections();
    // Half a request would hold the stop for ever.
    setTimeout(() => server.closeAllConnections(), CLOSE_MS).unref();
  });
}

async function listenOn(
  server: Server,
  at: { readonly path: string } | { readonly fd: number },
): Promise<void> {
  if ('path' in at) {
    await mkdir(dirname(at.path), { recursive: true, mode: 0o755 });
    await removeStaleSocket(at.path);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Fault('unavailable', `cannot listen: ${messageOf(error)}`, { cause: error })),
    );
    server.listen(at, resolve);
  });
  if ('path' in at) await chmod(at.path, 0o600);
}

type Send = (reply: FastifyReply, answer: PluginReply) => FastifyReply;

function addRoute(
  server: FastifyInstance,
  name: string,
  method: PluginMethod,
  options: PluginServerOptions & { readonly send: Send },
): void {
  const schema =
    method.schema !== undefined && method.emptyBody !== true
      ? { schema: { body: method.schema } }
      : {};
  if (method.constant !== undefined) {
    addConstantRoute(server, name, schema, JSON.stringify(method.constant), options);
    return;
  }
  server.post(`/${name}`, schema, async (request: FastifyRequest, reply: FastifyReply) => {
    const started = options.clock.monotonic();
    let answer: PluginReply;
    let fault: Fault | undefined;
    failpoint(`rpc.${name}:received`);
    try {
      const value = await within(method.boundMs, [], (signal) =>
        answerOf(method.run(request.body, signal), signal, name),
      );
      answer = { status: 200, body: JSON.stringify(value) };
    } catch (error) {
      fault = toFault(error);
      answer = errorReply(fault, options.errorField ?? errorFieldOf(name));
    }
    const durationMs = Math.round((options.clock.monotonic() - started) * 1000) / 1000;
    failpoint(`rpc.${name}:answering`);
    // Docker goes on while the call is written down.
    options.send(reply, answer);
    logCall(options.log, name, request.body, durationMs, fault);
    tell(options, { method: name, result: fault?.kind ?? 'ok', durationMs });
    return reply;
  });
}

function addConstantRoute(
  server: FastifyInstance,
  name: string,
  schema: { readonly schema?: { readonly body: TSchema } },
  body: string,
  options: PluginServerOptions & { readonly send: Send },
): void {
  server.post(`/${name}`, schema, (request, reply) => {
    options.send(reply, { status: 200, body });
    logCall(options.log, name, request.body, 0, undefined);
    tell(options, { method: name, result: 'ok', durationMs: 0 });
  });
}

/** How long a method has, after its bound, to say what it was waiting for. */
const LAST_WORD_MS = 100;

/**
 * What the method answers by its bound. Its own failure says more than that the bound is over, and it comes a few
 * turns later, because the method learns of the bound by the same signal.
 */
async function answerOf(
  running: Promise<unknown>,
  signal: AbortSignal,
  name: string,
): Promise<unknown> {
  try {
    return await orAbort(running, signal, name);
  } catch (error) {
    if (!signal.aborted) throw error;
    return orAbort(running, deadline(LAST_WORD_MS), name);
  }
}

/** A meter that fails must not turn an answered call into a refused one. */
function tell({ observe, log }: PluginServerOptions, call: Parameters<CallObserver>[0]): void {
  try {
    observe?.(call);
  } catch (error) {
    log.error({ err: error }, 'a call could not be counted');
  }
}

function logCall(
  log: Log,
  method: string,
  body: unknown,
  durationMs: number,
  fault: Fault | undefined,
): void {
  const line: Record<string, unknown> = { method, durationMs, result: fault?.kind ?? 'ok' };
  if (typeof body === 'object' && body !== null) {
    for (const id of LOGGED_IDS) {
      const value: unknown = (body as Record<string, unknown>)[id];
      if (typeof value === 'string' && value !== '') line[id] = value;
    }
  }
  if (fault === undefined) {
    log.info(line, 'call');
    return;
  }
  Object.assign(line, { reason: fault.reason, error: oneLine(fault.message), ...fault.details });
  if (fault.kind === 'internal') log.error({ ...line, err: fault.cause ?? fault }, 'call failed');
  else log.warn(line, 'call failed');
}
