import type { Fault } from '../../base/index.js';
import { exchangedFault, exchangedUnderWrite, type CallOptions } from '../index.js';
import type { Cluster } from './cluster.js';
import type { Call } from './member.js';
import type { Header } from './messages.js';

/** What was seen last of the cluster that answers. */
interface Seen {
  readonly clusterId: string;
  readonly revision: bigint;
}

/**
 * The same calls, as long as the same datastore answers them: one of another cluster id, or whose revision is lower than
 * one that was known when the call was sent, is another one (restored, or another cluster behind the same address). Then
 * that answer and all that would follow are refused, and `onExchanged` is told once. What such an etcd answered to a write
 * is an unknown outcome: it was computed from what that etcd never had.
 */
export function withLineage(inner: Cluster, onExchanged: (fault: Fault) => void): Cluster {
  let seen: Seen | undefined;
  let broken: Fault | undefined;

  function refuse(): void {
    if (broken !== undefined) throw broken;
  }

  /** `before` is what was known when the call was sent: later answers may overtake this one. */
  function check(call: Call, reply: unknown, before: Seen | undefined): Fault | undefined {
    if (broken !== undefined) return broken;
    if (call.service !== 'KV') return undefined;
    const { header } = reply as { readonly header: Header };
    const found: Seen = { clusterId: header.cluster_id, revision: BigInt(header.revision) };
    const why = before === undefined ? undefined : difference(before, found);
    if (why !== undefined) {
      broken = exchangedFault(why);
      onExchanged(broken);
      return broken;
    }
    if (seen === undefined || found.revision > seen.revision) seen = found;
    return undefined;
  }

  async function ask(
    how: 'read' | 'write',
    call: Call,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    refuse();
    const before = seen;
    const reply = await inner[how](call, options);
    const fault = check(call, reply, before);
    if (fault === undefined) return reply;
    throw how === 'read' ? fault : exchangedUnderWrite(fault);
  }

  return {
    read: (call, options) => ask('read', call, options),
    write: (call, options) => ask('write', call, options),
    stream: async (service, method, signal) => {
      refuse();
      return inner.stream(service, method, signal);
    },
    close: () => inner.close(),
  };
}

function difference(before: Seen, found: Seen): string | undefined {
  if (found.clusterId !== before.clusterId) {
    const [was, is] = [before, found].map(({ clusterId }) => BigInt(clusterId).toString(16));
    return `etcd cluster ${is} answers where cluster ${was} did`;
  }
  if (found.revision >= before.revision) return undefined;
  return `its revision is ${found.revision} and was ${before.revision}: it was restored from an older snapshot`;
}
