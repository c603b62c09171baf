import type { IKeyValue } from 'etcd3';
import { Fault, messageOf, toFault, type Log } from '../../base/index.js';
import type { Change, Watch, WatchOptions } from '../index.js';
import type { Stream } from './client.js';
import type { Cluster } from './cluster.js';
import { failureOf, isStatus } from './failure.js';
import { coveringRange, entryOf } from './messages.js';

/** `lose` ends the watch from outside. */
export interface EtcdWatch extends Watch {
  lose(reason: Fault): void;
}

interface WatchReply {
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly events: readonly { readonly type: 'Put' | 'Delete'; readonly kv: IKeyValue }[];
}

/**
 * Below gRPC's ping interval of 2 s. etcd closes a connection on which it got three pings without
 * having sent anything in between (`--grpc-keepalive-min-time` is 5 s); its answer to this request,
 * known since etcd 3.4, is something sent.
 */
const PROGRESS_EVERY_MS = 1700;

/**
 * One stream, one range, no reconnecting: whatever ends the stream is told by `onLost`, once.
 * etcd keeps the events of one revision together only within one range, so the range covers all
 * prefixes and what is between them is filtered here: prefixes that lie far apart in the key space
 * cost the traffic of all keys between them, and are better watched apart.
 */
export function openWatch(
  cluster: Cluster,
  options: WatchOptions,
  log: Log,
  onEnd: () => void,
): EtcdWatch {
  const stopping = new AbortController();
  let stream: Stream | undefined;
  let progress: NodeJS.Timeout | undefined;
  let delivered = options.from - 1n;

  function end(): boolean {
    if (stopping.signal.aborted) return false;
    stopping.abort();
    clearInterval(progress);
    stream?.cancel();
    onEnd();
    return true;
  }

  function lose(reason: Fault): void {
    if (!end()) return;
    try {
      options.onLost(reason);
    } catch (error) {
      // An exception here would leave through the stream's handler and end the process.
      log.error({ err: error }, 'a listener of the datastore failed');
    }
  }

  function onReply(reply: WatchReply): void {
    if (stopping.signal.aborted) return;
    if (reply.canceled) {
      lose(cancelled(reply));
      return;
    }
    const changes = changesOf(reply).filter(
      (change) => revisionOf(change) > delivered && isWanted(keyOf(change), options.prefixes),
    );
    const last = changes.at(-1);
    if (last === undefined) return;
    delivered = revisionOf(last);
    try {
      options.onChanges(changes);
    } catch (error) {
      log.error({ err: error }, 'a listener of the datastore failed');
      lose(new Fault('internal', `a listener failed: ${messageOf(error)}`, { cause: error }));
    }
  }

  async function start(): Promise<void> {
    const opened = await cluster.stream('Watch', 'watch', stopping.signal);
    stream = opened.stream;
    stream.on('data', (reply) => onReply(reply as WatchReply));
    stream.on('end', () => lose(lostFault('the member ended the stream', 'connection-lost')));
    stream.on('error', (error) => {
      if (stopping.signal.aborted) return;
      const failure = isStatus(error) ? failureOf(error, opened.endpoint) : undefined;
      if (failure?.elsewhere !== false) opened.failed();
      lose(lostFault(failure?.text ?? messageOf(error), failure?.reason ?? 'connection-lost'));
    });
    if (stopping.signal.aborted) {
      stream.cancel();
      return;
    }
    const range = coveringRange(options.prefixes);
    stream.write({ create_request: { ...range, start_revision: options.from.toString() } });
    progress = setInterval(() => stream?.write({ progress_request: {} }), PROGRESS_EVERY_MS);
  }

  void start().catch((error: unknown) => lose(toFault(error)));
  return { close: () => void end(), lose };
}

const keyOf = (change: Change): string => (change.type === 'put' ? change.entry.key : change.key);
const revisionOf = (change: Change): bigint =>
  change.type === 'put' ? change.entry.revision : change.revision;
const isWanted = (key: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => key.startsWith(prefix));

function changesOf(reply: WatchReply): Change[] {
  return reply.events.map(({ type, kv }): Change => {
    const entry = entryOf(kv);
    return type === 'Put'
      ? { type: 'put', entry }
      : { type: 'delete', key: entry.key, revision: entry.revision };
  });
}

function lostFault(text: string, reason: string): Fault {
  return new Fault('unavailable', `the watch of etcd was lost: ${text}`, { reason });
}

function cancelled(reply: WatchReply): Fault {
  if (BigInt(reply.compact_revision) > 0n) {
    return lostFault(`compacted up to revision ${reply.compact_revision}`, 'compacted');
  }
  const text = reply.cancel_reason || 'etcd gave no reason';
  if (text.includes('permission denied')) {
    const message = `etcd refuses the watch: ${text}; grant the user the /calico/ prefix`;
    return new Fault('refused', message, { reason: 'permission' });
  }
  return lostFault(text, 'rejected');
}
