import type { IKeyValue, IRangeRequest, IRequestOp, ITxnRequest } from 'etcd3';
import type { Entry, Transaction } from '../index.js';

/** Replies of etcd as protobuf.js decodes them: 64-bit numbers are decimal strings. */
export interface Header {
  readonly cluster_id: string;
  readonly revision: string;
}

export interface RangeReply {
  readonly header: Header;
  readonly kvs: readonly IKeyValue[];
  readonly more: boolean;
}

export interface TxnReply {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly response_range?: RangeReply | null }[];
}

/** `[start, end)` in etcd's form: an end of one zero byte is "all that follow". */
export interface KeyRange {
  readonly key: Buffer;
  readonly range_end: Buffer;
}

const ZERO = Buffer.from([0]);

export function entryOf(kv: IKeyValue): Entry {
  return {
    key: kv.key.toString('utf8'),
    value: kv.value.toString('utf8'),
    revision: BigInt(kv.mod_revision),
  };
}

/** First key behind all keys with the prefix; etcd's rule: the last byte below 0xff plus one. */
function behind(prefix: Buffer): Buffer {
  for (let index = prefix.length - 1; index >= 0; index -= 1) {
    const byte = prefix[index] ?? 0xff;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, index), Buffer.from([byte + 1])]);
  }
  return ZERO;
}

export function prefixRange(prefix: string): KeyRange {
  const key = Buffer.from(prefix);
  return { key: key.length === 0 ? ZERO : key, range_end: behind(key) };
}

/** The smallest range that covers all prefixes. */
export function coveringRange(prefixes: readonly string[]): KeyRange {
  const ranges = prefixes.map(prefixRange);
  const [first] = ranges.map(({ key }) => key).sort(Buffer.compare);
  const ends = ranges.map((range) => range.range_end);
  const open = ends.some((end) => end.equals(ZERO));
  const last = ends.sort(Buffer.compare).at(-1);
  return { key: first ?? ZERO, range_end: open || last === undefined ? ZERO : last };
}

/** Prefixes that lie below none of the others. */
export function disjointPrefixes(prefixes: readonly string[]): string[] {
  const unique = [...new Set(prefixes)];
  return unique.filter(
    (prefix) => !unique.some((other) => other !== prefix && prefix.startsWith(other)),
  );
}

const rangeOf = (key: string): IRangeRequest => ({ key: Buffer.from(key) });

export const readOperation = (range: IRangeRequest): IRequestOp => ({ request_range: range });

export const readsOf = (keys: readonly string[]): IRequestOp[] =>
  keys.map((key) => readOperation(rangeOf(key)));

/** The transaction in etcd's words; absence is a mod revision of 0. */
export function txnRequest(transaction: Transaction): ITxnRequest {
  return {
    compare: transaction.compares.map(({ key, revision }) => ({
      key: Buffer.from(key),
      target: 'Mod',
      result: 'Equal',
      mod_revision: revision.toString(),
    })),
    success: transaction.writes.map(({ key, value }) =>
      value === null
        ? { request_delete_range: { key: Buffer.from(key) } }
        : { request_put: { key: Buffer.from(key), value: Buffer.from(value) } },
    ),
    failure: readsOf(transaction.reads ?? []),
  };
}

/** One member per key, in the order of the operations that read them. */
export function currentOf(
  keys: readonly string[],
  reply: TxnReply,
): Map<string, Entry | undefined> {
  return new Map(
    keys.map((key, index) => {
      const kv = reply.responses[index]?.response_range?.kvs[0];
      return [key, kv === undefined ? undefined : entryOf(kv)];
    }),
  );
}
