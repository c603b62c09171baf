import type { FastifyInstance, FastifyReply } from 'fastify';
import { Fault, messageOf, type Log } from '../base/index.js';
import type { Metrics } from './registry.js';

export interface Readiness {
  readonly ok: boolean;
  /** Why not, or a word on how; shown to whoever asks. */
  readonly reason: string;
}

export interface MetricsServerOptions {
  /** Loopback unless told: the answers are not for strangers. */
  readonly host?: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly registry: Metrics;
  /** False: the process is beyond help and should be restarted. */
  readonly live: () => boolean;
  /** Whether the process can do its work now. */
  readonly ready: () => Readiness;
  readonly log: Log;
}

export interface MetricsServer {
  /** `refused` when the port cannot be had. */
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  close(): Promise<void>;
}

/** `/metrics` for Prometheus, `/live` and `/ready` for supervisors (200 or 503). Loads fastify on `listen`. */
export function createMetricsServer(options: MetricsServerOptions): MetricsServer {
  const { host = '127.0.0.1', port, registry, log } = options;
  let app: FastifyInstance | undefined;

  async function build(): Promise<FastifyInstance> {
    const { fastify } = await import('fastify');
    const built = fastify({ forceCloseConnections: true });
    built.get('/metrics', async (_, reply) => {
      const { contentType, body } = await registry.render();
      return reply.type(contentType).send(body);
    });
    built.get('/live', (_, reply) => {
      const ok = options.live();
      return answer(reply, ok, { live: ok });
    });
    built.get('/ready', (_, reply) => {
      const { ok, reason } = options.ready();
      return answer(reply, ok, { ready: ok, reason });
    });
    built.setErrorHandler((error, _, reply) => {
      log.error({ err: error }, 'metrics could not be answered');
      return reply.code(500).send({ error: messageOf(error) });
    });
    return built;
  }

  return {
    listen: async () => {
      await registry.includeProcess();
      app = await build();
      try {
        await app.listen({ host, port });
      } catch (error) {
        await app.close();
        const message = `metrics cannot listen on ${host} port ${port}: ${messageOf(error)}; choose another port`;
        throw new Fault('refused', message, { reason: 'listen', cause: error });
      }
      const address = app.server.address();
      const bound = address === null || typeof address === 'string' ? port : address.port;
      return { host, port: bound };
    },
    close: async () => {
      await app?.close();
      app = undefined;
    },
  };
}

function answer(reply: FastifyReply, ok: boolean, body: object): FastifyReply {
  return reply.code(ok ? 200 : 503).send(body);
}
