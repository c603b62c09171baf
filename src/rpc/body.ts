import type { FastifyInstance } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
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
      if (isDeep(text)) {
        done(
          new Fault('invalid', `the request body is nested deeper than ${DEPTH_LIMIT}`, {
            reason: 'bad-body',
          }),
        );
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

/** Docker's own bodies have six levels. What is read can be far deeper than what can be written again. */
const DEPTH_LIMIT = 100;

function isDeep(text: string): boolean {
  if (text.length < DEPTH_LIMIT) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (quoted) {
      if (char === BACKSLASH) at += 1;
      else if (char === QUOTE) quoted = false;
    } else if (char === QUOTE) quoted = true;
    else if (char === 0x5b || char === 0x7b) depth += 1;
    else if (char === 0x5d || char === 0x7d) depth -= 1;
    if (depth > DEPTH_LIMIT) return true;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Checks the shape of a body by its schema. Compiled at the first call: at the start both sockets have to
 * answer at once. Nothing is coerced, filled in or removed: new engines add members.
 */
export function bodyCheck(schema: TSchema): (body: unknown) => true | { readonly error: Error } {
  let check: Validator | undefined;
  return (body) => {
    check ??= Compile(schema);
    if (check.Check(body)) return true;
    const [first] = check.Errors(body);
    const where =
      first?.instancePath === undefined || first.instancePath === ''
        ? 'the body'
        : first.instancePath.slice(1);
    const what = first?.message ?? 'has another shape';
    return { error: new Fault('invalid', `${where} ${what}`, { reason: 'bad-body' }) };
  };
}
