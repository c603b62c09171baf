import {
  abortFault,
  backoff,
  deadline as signalAfter,
  Fault,
  messageOf,
  sleep,
  toFault,
  type Clock,
  type Log,
} from '../../base/index.js';
import type { CallOptions } from '../index.js';
import type { Service, Stream } from './client.js';
import { MemberError, type Failure } from './failure.js';
import type { Call, Member } from './member.js';

export interface ClusterOptions {
  /** In the order in which they are tried first. */
  readonly members: readonly Member[];
  /** For messages: the endpoints as configured. */
  readonly description: string;
  readonly dialMs: number;
  readonly callMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Which member is asked, and what is done when it fails. */
export interface Cluster {
  /** A call that may be made twice: other members are asked until the bound. */
  read(call: Call, options?: CallOptions): Promise<unknown>;
  /** A call that must not: another member is asked only when it certainly was not executed. */
  write(call: Call, options?: CallOptions): Promise<unknown>;
  /** A stream to a member that is connected; `failed` marks that member when it breaks. */
  stream(
    service: Service,
    method: string,
    signal: AbortSignal,
  ): Promise<{ readonly stream: Stream; readonly endpoint: string; failed(): void }>;
  close(): void;
}

/** How long the members behind the first wait before they are dialled as well. */
const HEAD_START_MS = 150;

/**
 * Sticks to one member while it answers. A member that failed is asked last until it is the only one
 * that answers. While nothing answers, gRPC and every call go on trying until the call's bound.
 */
export function createCluster(options: ClusterOptions): Cluster {
  const { members, clock, log, callMs, dialMs, description } = options;
  const closing = new AbortController();
  let order = [...members];
  let suspects = new Set<Member>();
  let reached = true;

  function suspect(member: Member): void {
    suspects.add(member);
    if (suspects.size === members.length) suspects = new Set([member]);
    order = [...order.filter((other) => other !== member), member];
  }

  function settled(member: Member): void {
    suspects.delete(member);
    if (order[0] !== member) {
      log.info({ endpoint: member.endpoint }, 'using another etcd member');
      order = [member, ...order.filter((other) => other !== member)];
    }
    if (!reached) log.info({ endpoint: member.endpoint }, 'etcd answers again');
    reached = true;
  }

  /** The first member that is or gets connected; the preferred one has a head start. */
  async function pick(bound: number, signal: AbortSignal | undefined): Promise<Member> {
    const preferred = order[0];
    if (preferred?.isConnected() && !suspects.has(preferred)) return preferred;
    const left = Math.max(0, Math.min(dialMs, bound - clock.now()));
    const waiting = new AbortController();
    const until = signalAfter(left, signal, waiting.signal, closing.signal);
    try {
      return await Promise.any(order.map((member, index) => dial(member, index, until)));
    } catch (error) {
      throw new NothingReached(error instanceof AggregateError ? error.errors : [error]);
    } finally {
      waiting.abort();
    }
  }

  async function dial(member: Member, index: number, until: AbortSignal): Promise<Member> {
    if (index > 0) await sleep(HEAD_START_MS * index, until).catch(() => undefined);
    await member.connect(until);
    return member;
  }

  /** With others to ask, one member that hangs may not use up the whole bound. */
  function boundOf(end: number, mayRepeat: boolean): number {
    const half = clock.now() + callMs / 2;
    return mayRepeat && members.length > 1 ? Math.min(end, half) : end;
  }

  async function ask(
    call: Call,
    mayRepeat: boolean,
    { signal }: CallOptions = {},
  ): Promise<unknown> {
    const end = clock.now() + callMs;
    const pauses = backoff(20, 500);
    let last: Failure | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (signal?.aborted) throw calledOff(signal, last);
        const member = await pick(end, signal);
        try {
          const reply = await member.call(call, boundOf(end, mayRepeat), signal);
          settled(member);
          return reply;
        } catch (error) {
          if (!(error instanceof MemberError)) throw error;
          const { failure } = error;
          last = failure;
          if (failure.elsewhere) suspect(member);
          const repeatable = failure.elsewhere && (failure.notDone || mayRepeat);
          if (!repeatable || clock.now() >= end) throw faultOf(failure, mayRepeat, signal);
        }
        if (attempt % members.length === 0) {
          await sleep(pauses.next().value, signal).catch(() => undefined);
        }
      } catch (error) {
        throw error instanceof NothingReached ? notReached(error, last, signal) : toFault(error);
      }
    }
  }

  function calledOff(signal: AbortSignal, last: Failure | undefined): Fault {
    const fault = abortFault(signal, `the call to etcd at ${description}`);
    if (last === undefined) return fault;
    return new Fault(fault.kind, `${fault.message}; last failure: ${last.text}`, {
      reason: last.reason,
      cause: signal.reason,
    });
  }

  function notReached(
    error: NothingReached,
    earlier: Failure | undefined,
    signal: AbortSignal | undefined,
  ): Fault {
    const other = error.causes.find((cause) => !(cause instanceof MemberError));
    if (other instanceof Fault) return other;
    const failures = error.causes.flatMap((cause) =>
      cause instanceof MemberError ? [cause.failure] : [],
    );
    // A member that answered that it has no leader says more than those that are down.
    const last =
      earlier?.reason === 'no-leader'
        ? earlier
        : (failures.find((failure) => failure.reason !== 'deadline') ?? earlier ?? failures[0]);
    if (closing.signal.aborted) return closedFault(description);
    const fault = unreachable(last, signal);
    if (reached) log.warn({ endpoints: description, reason: fault.reason }, fault.message);
    reached = false;
    return fault;
  }

  function unreachable(last: Failure | undefined, signal: AbortSignal | undefined): Fault {
    const why = last?.text ?? 'no answer';
    const message = `etcd cannot be reached: tried ${description}; last failure: ${why}; it goes on trying`;
    const kind = signal?.aborted ? abortFault(signal).kind : 'unavailable';
    return new Fault(kind, message, {
      reason: last?.reason ?? 'deadline',
      details: { endpoints: description },
    });
  }

  function faultOf(failure: Failure, mayRepeat: boolean, signal: AbortSignal | undefined): Fault {
    if (closing.signal.aborted && mayRepeat) return closedFault(description);
    const { reason, text } = failure;
    const details = { endpoints: description };
    if (!failure.notDone && !mayRepeat) {
      const message = `the reply of etcd to a write was lost: ${text}; it may or may not have happened`;
      return new Fault('outcome-unknown', message, { reason, details });
    }
    if (signal?.aborted) return calledOff(signal, failure);
    if (failure.kind === 'unavailable' && failure.elsewhere) return unreachable(failure, signal);
    return new Fault(failure.kind, `etcd refused: ${text}`, { reason, details });
  }

  return {
    read: (call, callOptions) => ask(call, true, callOptions),
    write: (call, callOptions) => ask(call, false, callOptions),
    stream: async (service, method, signal) => {
      try {
        const member = await pick(clock.now() + dialMs, signal);
        const stream = await member.stream(service, method, clock.now() + callMs);
        return { stream, endpoint: member.endpoint, failed: () => suspect(member) };
      } catch (error) {
        if (error instanceof NothingReached) throw notReached(error, undefined, signal);
        if (error instanceof MemberError) throw faultOf(error.failure, true, signal);
        throw error;
      }
    },
    close: () => {
      closing.abort(closedFault(description));
      for (const member of members) member.close();
    },
  };
}

const closedFault = (description: string): Fault =>
  new Fault('unavailable', `the connection to etcd at ${description} was closed`, {
    reason: 'stopped',
  });

/** No member was connected within the bound; what each said. */
class NothingReached extends Error {
  readonly causes: readonly unknown[];

  constructor(causes: readonly unknown[]) {
    super(causes.map(messageOf).join('; '));
    this.causes = causes;
  }
}
