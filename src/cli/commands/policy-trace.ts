import { Fault } from '../../base/index.js';
import { stringifyJson } from '../../model/v3/index.js';
import { traceFlow } from '../../model/verdict/index.js';
import { findEnd, flowsOf, parsePort } from '../flow-words.js';
import type { Io } from '../io.js';
import { readWorld } from '../policy-world.js';
import { withObjects, type SharedOptions } from '../session.js';
import { renderTrace, traceDocument, worst, type TracedResult } from '../verdict-report.js';

export interface PolicyTraceOptions extends SharedOptions {
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly output: string;
}

/** Exit status of a flow that is denied; 1 is left for what could not be found out. */
export const DENIED = 2;

/** policy trace: what the policies in the datastore say of one flow, at both ends. */
export async function policyTraceCommand(io: Io, options: PolicyTraceOptions): Promise<number> {
  const port = parsePort(options.port);
  checkDocumentOutput(options.output);
  return withObjects(io, options, async ({ store }) => {
    const world = await readWorld(io, store);
    const [from, to] = [findEnd(world, options.from), findEnd(world, options.to)];
    const traced = flowsOf(from, to, port).map((flow): TracedResult => ({
      family: flow.packet.source.family,
      source: String(flow.packet.source),
      destination: String(flow.packet.destination),
      result: traceFlow(world, flow, { toTheEnd: true }),
    }));
    if (options.output === 'json') {
      io.out(`${stringifyJson(traceDocument(from, to, port, traced), 2)}\n`);
    } else {
      io.out(`from ${from.label} to ${to.label}\n`);
      for (const each of traced) io.out(renderTrace(world, each, port));
    }
    return worst(traced.map(({ result }) => result.verdict)) === 'deny' ? DENIED : 0;
  });
}

/** Commands that print text for people or JSON for programs. */
export function checkDocumentOutput(output: string): void {
  if (output === 'text' || output === 'json') return;
  const message = `unrecognized output format '${output}': use text or json`;
  throw new Fault('invalid', message, { reason: 'output-format' });
}
