import { Fault, systemClock, type Clock, type Log } from '../../base/index.js';
import { checkKey, checkTransaction, type CommitResult, type Store } from '../index.js';
import { createCluster } from './cluster.js';
import { openHold } from './hold.js';
import { withLineage } from './lineage.js';
import { createMember } from './member.js';
import { currentOf, entryOf, txnRequest, type RangeReply, type TxnReply } from './messages.js';
import { listPrefixes, readKeys } from './read.js';
import type { EtcdTlsOptions } from './tls.js';
import { openWatch, type EtcdWatch } from './watch.js';

export interface EtcdStoreOptions {
  /** URLs of members, `http://` or `https://`; a bare `host:port` is `http`. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTlsOptions;
  /** Both or none. Accepted when etcd has authentication off, as calicoctl does. */
  readonly username?: string;
  readonly password?: string;
  readonly log: Log;
  readonly deadlines?: {
    /** Until one member is connected; 5 s unless told. */
    readonly dialMs?: number;
    /** A whole call with its failovers; 5 s unless told. A call's own signal may end it sooner. */
    readonly callMs?: number;
  };
  readonly clock?: Clock;
  /** For the order in which members are tried, so that hosts spread over them. */
  readonly random?: () => number;
}

const DEFAULT_MS = 5000;

/**
 * The datastore port over etcd v3. Nothing is loaded or connected before the first call; a bad
 * endpoint is `invalid` at once, bad TLS files at the first call.
 */
export function createEtcdStore(options: EtcdStoreOptions): Store {
  const { log, clock = systemClock } = options;
  const credentials = credentialsOf(options);
  const endpoints = endpointsOf(options.endpoints);
  const members = shuffled(endpoints, options.random ?? Math.random).map((endpoint) =>
    createMember({
      endpoint,
      clock,
      ...(options.tls ? { tls: options.tls } : {}),
      ...(credentials ? { credentials } : {}),
    }),
  );
  const description = endpoints.join(', ');
  const dialMs = options.deadlines?.dialMs ?? DEFAULT_MS;
  const callMs = options.deadlines?.callMs ?? DEFAULT_MS;
  const exchanged = new AbortController();
  const cluster = withLineage(
    createCluster({ members, description, dialMs, callMs, clock, log }),
    (fault) => exchanged.abort(fault),
  );
  const watches = new Set<EtcdWatch>();
  const closing = new AbortController();
  return {
    type: 'etcdv3',
    description,
    exchanged: exchanged.signal,
    get: async (key, call) => {
      checkKey(key);
      const request = { key: Buffer.from(key) };
      const reply = (await cluster.read(
        { service: 'KV', method: 'range', request },
        call,
      )) as RangeReply;
      const kv = reply.kvs[0];
      return kv === undefined ? undefined : entryOf(kv);
    },
    getMany: async (keys, call) => {
      keys.forEach(checkKey);
      return readKeys(cluster, keys, call);
    },
    list: (prefix, call) =>
      listPrefixes(cluster, typeof prefix === 'string' ? [prefix] : prefix, call),
    commit: async (transaction, call): Promise<CommitResult> => {
      checkTransaction(transaction);
      const request = txnRequest(transaction);
      const reply = (await cluster.write(
        { service: 'KV', method: 'txn', request },
        call,
      )) as TxnReply;
      const revision = BigInt(reply.header.revision);
      if (reply.succeeded) return { committed: true, revision };
      return { committed: false, revision, current: currentOf(transaction.reads ?? [], reply) };
    },
    watch: (watchOptions) => {
      const watch = openWatch(cluster, watchOptions, log, () => watches.delete(watch));
      watches.add(watch);
      return watch;
    },
    hold: async (key, value, ttlSeconds, call) => {
      checkKey(key);
      return openHold({
        cluster,
        clock,
        log,
        key,
        value,
        ttlSeconds,
        call,
        closed: closing.signal,
      });
    },
    identify: async (call) => {
      const request = { key: Buffer.from('/calico/'), count_only: true };
      const reply = (await cluster.read(
        { service: 'KV', method: 'range', request },
        call,
      )) as RangeReply;
      const { cluster_id, revision } = reply.header;
      return { id: BigInt(cluster_id).toString(16), revision: BigInt(revision) };
    },
    close: async () => {
      closing.abort();
      const reason = new Fault('unavailable', 'the connection to etcd was closed', {
        reason: 'stopped',
      });
      for (const watch of [...watches]) watch.lose(reason);
      cluster.close();
    },
  };
}

function credentialsOf({
  username,
  password,
}: EtcdStoreOptions): { readonly username: string; readonly password: string } | undefined {
  if (!username && !password) return undefined;
  if (username && password) return { username, password };
  const missing = username ? 'password' : 'user name';
  throw new Fault(
    'invalid',
    `the etcd ${missing} is missing: give user name and password, or none`,
    {
      reason: 'credentials',
    },
  );
}

function endpointsOf(given: readonly string[]): string[] {
  const endpoints = given.map((text) => text.trim()).filter((text) => text !== '');
  if (endpoints.length === 0) {
    throw new Fault(
      'invalid',
      'no etcd endpoint is given: set ETCD_ENDPOINTS, as in http://10.0.0.1:2379',
      {
        reason: 'endpoints',
      },
    );
  }
  return endpoints.map(endpointOf);
}

/** `scheme://host:port`; a path or user part would be ignored silently, so it is refused. */
function endpointOf(text: string): string {
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  const known = url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:');
  if (
    !known ||
    url.hostname === '' ||
    (url.pathname !== '/' && url.pathname !== '') ||
    url.username
  ) {
    const message = `the etcd endpoint ${JSON.stringify(hidden(text))} is not of the form https://host:2379`;
    throw new Fault('invalid', message, { reason: 'endpoints' });
  }
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return `${url.protocol}//${url.hostname}:${/:\d+\/?$/.test(full) ? port : '2379'}`;
}

/** Without a user part, which may hold a password. */
const hidden = (text: string): string => text.replace(/\/\/[^@/]*@/, '//');

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all
    .map((value) => ({ value, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}
