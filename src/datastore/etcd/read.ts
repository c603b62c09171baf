import type { CallOptions, Entry, Snapshot } from '../index.js';
import type { Cluster } from './cluster.js';
import {
  currentOf,
  disjointPrefixes,
  entryOf,
  prefixRange,
  readOperation,
  readsOf,
  type KeyRange,
  type RangeReply,
  type TxnReply,
} from './messages.js';
import { MAX_OPERATIONS } from '../index.js';

/** Entries of a first page, and of any at least: blocks of 60 KB make 30 MB of it. */
const PAGE = 500;
/**
 * Later pages are as large as entries like those before them make this. etcd counts all that is left of a range for
 * each page: in pages of 500 a list of 100,000 entries takes it 6 s, in these 0.5.
 */
const PAGE_BYTES = 4 * 1024 * 1024;
const MOST_ENTRIES = 10_000;

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}

interface Part {
  readonly range: KeyRange;
  readonly limit: number;
  /** What was read of it, in order. */
  readonly entries: Entry[];
}

async function rangesAt(
  cluster: Cluster,
  parts: readonly Part[],
  revision: bigint | undefined,
  options: CallOptions | undefined,
): Promise<{ readonly revision: bigint; readonly replies: readonly RangeReply[] }> {
  const at = revision === undefined ? {} : { revision: revision.toString() };
  const success = parts.map(({ range, limit }) => readOperation({ ...range, limit, ...at }));
  const request = { compare: [], success, failure: [] };
  const reply = (await cluster.read(
    { service: 'KV', method: 'txn', request },
    options,
  )) as TxnReply;
  const replies = reply.responses.flatMap(({ response_range }) => response_range ?? []);
  return { revision: revision ?? BigInt(reply.header.revision), replies };
}

/**
 * All keys below the prefixes as of one revision, in order. The first request fixes the revision, later ones
 * (more prefixes than one transaction may ask for, further pages) read at it.
 */
export async function listPrefixes(
  cluster: Cluster,
  prefixes: readonly string[],
  options: CallOptions | undefined,
): Promise<Snapshot> {
  const parts = disjointPrefixes(prefixes)
    .map((prefix): Part => ({ range: prefixRange(prefix), limit: PAGE, entries: [] }))
    .sort((left, right) => Buffer.compare(left.range.key, right.range.key));
  let open: readonly Part[] = parts;
  let revision: bigint | undefined;
  while (open.length > 0 || revision === undefined) {
    const next: Part[] = [];
    for (const asked of open.length === 0 ? [[]] : chunks(open, MAX_OPERATIONS)) {
      const page = await rangesAt(cluster, asked, revision, options);
      revision = page.revision;
      page.replies.forEach((reply, index) => {
        const part = asked[index];
        const rest = part && takePage(part, reply);
        if (rest !== undefined) next.push(rest);
      });
    }
    open = next;
  }
  return { entries: parts.flatMap(({ entries }) => entries), revision };
}

/** Keeps the page; what is left of the part, if anything. Nothing kept may hold the reply's buffer. */
function takePage({ range, entries }: Part, { kvs, more }: RangeReply): Part | undefined {
  let bytes = 0;
  for (const kv of kvs) {
    bytes += kv.key.length + kv.value.length;
    entries.push(entryOf(kv));
  }
  const last = kvs.at(-1);
  if (!more || last === undefined) return undefined;
  const fitting = Math.floor((PAGE_BYTES * kvs.length) / bytes);
  return {
    range: { key: Buffer.concat([last.key, Buffer.from([0])]), range_end: range.range_end },
    limit: Math.min(MOST_ENTRIES, Math.max(PAGE, fitting)),
    entries,
  };
}

/** Single keys as of one revision. */
export async function readKeys(
  cluster: Cluster,
  keys: readonly string[],
  options: CallOptions | undefined,
): Promise<Map<string, Entry | undefined>> {
  const found = new Map<string, Entry | undefined>();
  let revision: string | undefined;
  for (const part of chunks([...new Set(keys)], MAX_OPERATIONS)) {
    const operations = readsOf(part);
    const success = operations.map(({ request_range }) =>
      readOperation({ ...request_range, ...(revision === undefined ? {} : { revision }) }),
    );
    const request = { compare: [], success, failure: [] };
    const reply = (await cluster.read(
      { service: 'KV', method: 'txn', request },
      options,
    )) as TxnReply;
    revision ??= reply.header.revision;
    for (const [key, entry] of currentOf(part, reply)) found.set(key, entry);
  }
  return found;
}
