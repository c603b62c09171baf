import { describeReason, type Decision, type FlowVerdict } from '../model/verdict/index.js';
import type { FlowPort, NamedEnd } from './flow-words.js';
import type { KnownWorld } from './policy-world.js';
import { workloadLabel } from './flow-words.js';

/** A flow with what became of it. */
export interface TracedResult {
  readonly source: string;
  readonly destination: string;
  readonly family: 4 | 6;
  readonly result: FlowVerdict;
}

/** Lines for people: the verdict, then who decided what, in the order of the packet's way. */
export function renderTrace(world: KnownWorld, traced: TracedResult, port: FlowPort): string {
  const { family, source, destination, result } = traced;
  const lines = result.decisions.map((decision) => `  ${decisionLine(world, decision)}\n`);
  const nobody = '  nobody decides: neither end is an endpoint\n';
  const head = `IPv${family} ${source} -> ${destination}, ${port.text}: ${result.verdict}\n`;
  return `${head}${lines.length === 0 ? nobody : lines.join('')}`;
}

function decisionLine(world: KnownWorld, { place, verdict, reason, logged }: Decision): string {
  const who = placeLabel(world, place);
  const direction = place.direction.toLowerCase();
  const stage = place.stage === 'normal' ? '' : ` (${STAGES[place.stage]})`;
  const log = logged.length === 0 ? '' : `; logged by ${logged.map(loggerName).join(', ')}`;
  return `${verdict.padEnd(5)}  ${direction} of ${who}${stage}: ${describeReason(reason)}${log}`;
}

const STAGES = {
  untracked: 'before connection tracking',
  preDNAT: 'before DNAT',
  forward: 'forwarded traffic',
};

function placeLabel(world: KnownWorld, place: Decision['place']): string {
  if (place.kind === 'host') return `host ${place.name}`;
  if (place.kind === 'hostEndpoint') return `host endpoint ${place.name} on ${place.node}`;
  const workload = world.workloads.find(
    ({ namespace, name }) => `${namespace}/${name}` === place.name,
  );
  const label = workload === undefined ? place.name : workloadLabel(workload);
  return `endpoint ${label} on ${place.node}`;
}

function loggerName(logger: Decision['logged'][number]): string {
  return 'policy' in logger ? `policy ${logger.policy}` : `profile ${logger.profile}`;
}

/** The same for programs: stable names, one member for each thing said. */
export function traceDocument(
  from: NamedEnd,
  to: NamedEnd,
  port: FlowPort,
  traced: readonly TracedResult[],
): object {
  return {
    from: from.label,
    to: to.label,
    port: port.text,
    verdict: worst(traced.map(({ result }) => result.verdict)),
    flows: traced.map(({ family, source, destination, result }) => ({
      family,
      source,
      destination,
      verdict: result.verdict,
      decisions: result.decisions.map((decision) => ({
        ...decision.place,
        verdict: decision.verdict,
        reason: decision.reason,
        description: describeReason(decision.reason),
        ...(decision.logged.length === 0 ? {} : { logged: decision.logged }),
      })),
    })),
  };
}

/** Denied in one family is denied. */
export function worst(verdicts: readonly FlowVerdict['verdict'][]): FlowVerdict['verdict'] {
  return verdicts.includes('deny') ? 'deny' : 'allow';
}
