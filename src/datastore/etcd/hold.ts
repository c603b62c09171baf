import type { IKeyValue } from 'etcd3';
import { backoff, Fault, sleep, toFault, type Clock, type Log, within } from '../../base/index.js';
import type { CallOptions, Hold } from '../index.js';
import type { Cluster } from './cluster.js';
import type { RangeReply, TxnReply } from './messages.js';

export interface HoldOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Log;
  readonly key: string;
  readonly value: string;
  readonly ttlSeconds: number;
  readonly call: CallOptions | undefined;
  /** Fires when the store is closed: the hold is lost, and runs out in etcd. */
  readonly closed: AbortSignal;
}

/**
 * A key on a lease. The lease is renewed three times in its life, and the key looked at each time:
 * `lost` fires when etcd says that lease or key are gone, or when nothing was confirmed for the
 * whole life of the lease, so never later than another may hold the key.
 */
export async function openHold(options: HoldOptions): Promise<Hold> {
  const { cluster, clock } = options;
  const granted = clock.monotonic();
  const lease = await grant(options);
  try {
    await putUnderLease(options, lease);
  } catch (error) {
    // Also when the outcome is unknown: with its lease the key goes, at the latest when that runs out.
    await revoke(cluster, lease).catch((failed: unknown) =>
      options.log.debug({ err: failed }, 'a lease of no use is left to run out'),
    );
    throw asHoldFault(error);
  }
  const lost = new AbortController();
  const released = new AbortController();
  void keepAlive(options, lease, granted, lost, released.signal);
  return {
    lost: lost.signal,
    release: async () => {
      if (released.signal.aborted) return;
      released.abort();
      if (!lost.signal.aborted) await revoke(cluster, lease);
    },
  };
}

async function grant({ cluster, ttlSeconds, call }: HoldOptions): Promise<string> {
  const request = { TTL: String(ttlSeconds), ID: '0' };
  const reply = (await cluster.read({ service: 'Lease', method: 'leaseGrant', request }, call)) as {
    readonly ID: string;
  };
  return reply.ID;
}

async function revoke(cluster: Cluster, lease: string): Promise<void> {
  try {
    await cluster.read({ service: 'Lease', method: 'leaseRevoke', request: { ID: lease } });
  } catch (error) {
    if (error instanceof Error && error.message.includes('lease not found')) return;
    throw error;
  }
}

async function putUnderLease(options: HoldOptions, lease: string): Promise<void> {
  const key = Buffer.from(options.key);
  const request = {
    compare: [{ key, target: 'Mod', result: 'Equal', mod_revision: '0' }],
    success: [{ request_put: { key, value: Buffer.from(options.value), lease } }],
    failure: [{ request_range: { key } }],
  };
  const call = { service: 'KV', method: 'txn', request } as const;
  const reply = (await options.cluster.write(call, options.call)) as TxnReply;
  if (reply.succeeded) return;
  const holder = reply.responses[0]?.response_range?.kvs[0]?.value.toString('utf8');
  const details = { key: options.key, value: holder };
  throw new Fault('exists', `${options.key} is held by another`, { details });
}

function asHoldFault(error: unknown): Fault {
  const fault = toFault(error);
  if (fault.kind !== 'outcome-unknown') return fault;
  const { reason, details } = fault;
  return new Fault('unavailable', fault.message, { reason, details, cause: fault });
}

async function keepAlive(
  options: HoldOptions,
  lease: string,
  granted: number,
  lost: AbortController,
  released: AbortSignal,
): Promise<void> {
  const { clock, ttlSeconds, key } = options;
  const life = ttlSeconds * 1000;
  let confirmed = granted;
  let pauses = backoff(life / 30, life / 6);
  let pause = life / 3;
  const over = AbortSignal.any([released, options.closed]);
  for (;;) {
    const left = confirmed + life - clock.monotonic();
    if (left <= 0) {
      lost.abort(lostFault(key, 'it could not be renewed in time'));
      return;
    }
    await sleep(Math.min(pause, left), over).catch(() => undefined);
    if (released.aborted) return;
    if (over.aborted) {
      lost.abort(lostFault(key, 'the store was closed'));
      return;
    }
    const asked = clock.monotonic();
    const bound = Math.max(1, Math.min(life / 2, confirmed + life - asked));
    try {
      const gone = await within(bound, [over], (signal) => renew(options, lease, signal));
      if (released.aborted) return;
      if (gone !== undefined) {
        lost.abort(lostFault(key, gone));
        return;
      }
      confirmed = asked;
      pauses = backoff(life / 30, life / 6);
      pause = life / 3;
    } catch (error) {
      options.log.debug({ err: error, key }, 'a hold could not be renewed yet');
      pause = pauses.next().value;
    }
  }
}

const lostFault = (key: string, why: string): Fault =>
  new Fault('unavailable', `the hold on ${key} was lost: ${why}`, { reason: 'hold-lost' });

/** Undefined when the hold stands, else why it does not. */
async function renew(
  { cluster, key }: HoldOptions,
  lease: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const ttl = await keepAliveOnce(cluster, lease, signal);
  if (ttl <= 0) return 'the lease ran out';
  const request = { key: Buffer.from(key) };
  const reply = (await cluster.read(
    { service: 'KV', method: 'range', request },
    { signal },
  )) as RangeReply;
  const kv: IKeyValue | undefined = reply.kvs[0];
  return kv?.lease === lease ? undefined : 'the key was deleted or taken by another';
}

/** etcd renews leases on a stream only: one request, one answer. */
async function keepAliveOnce(
  cluster: Cluster,
  lease: string,
  signal: AbortSignal,
): Promise<number> {
  const { stream, failed } = await cluster.stream('Lease', 'leaseKeepAlive', signal);
  try {
    return await new Promise<number>((resolve, reject) => {
      const onAbort = (): void => reject(new Fault('timeout', 'a lease was not renewed in time'));
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      stream.on('data', (reply) => resolve(Number((reply as { readonly TTL: string }).TTL)));
      stream.on('end', () => reject(new Fault('unavailable', 'etcd ended the stream of a lease')));
      stream.on('error', (error) => {
        failed();
        reject(error);
      });
      stream.write({ ID: lease });
    });
  } finally {
    stream.cancel();
  }
}
