import type { FastifyInstance } from 'fastify';
import { Fault } from '../base/index.js';

/** Largest request body. A range of thousands of published ports arrives three times per start. */
export const BODY_LIMIT = 8 * 1024 * 1024;

/**
 * Docker sends no Content-Type, so the stock parsers would answer 415: one parser takes everything.
 * An empty body stays undefined; methods that need one refuse it, because Docker's retry on a broken
 * connection is the same call with an empty body (plugin protocol §0.2).
 */
export function acceptAnyBody(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    '*',
    { parseAs: 'string', bodyLimit: BODY_LIMIT },
    (_request, body, done) => {
      const text = String(body).trim();
      if (text === '') {
        done(null, undefined);
        return;
      }
      try {
        done(null, JSON.parse(text));
      } catch {
        done(new Fault('invalid', 'the request body is not JSON', { reason: 'bad-body' }));
      }
    },
  );
}
