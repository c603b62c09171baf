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

/** Entries of one page: blocks of 60 KB make 30 MB of it. */
const PAGE = 500;

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}

async function rangesAt(
  cluster: Cluster,
  ranges: readonly KeyRange[],
  revision: bigint | undefined,
  options: CallOptions | undefined,
): Promise<{ readonly revision: bigint; readonly replies: readonly RangeReply[] }> {
  const at = revision === undefined ? {} : { revision: revision.toString() };
  const success = ranges.map((range) => readOperation({ ...range, limit: PAGE, ...at }));
  const request = { compare: [], success, failure: [] };
  const reply = (await cluster.read(
    { service: 'KV', method: 'txn', request },
    options,
  )) as TxnReply;
  const replies = reply.responses.flatMap(({ response_range }) => response_range ?? []);
  return { revision: revision ?? BigInt(reply.header.revision), replies };
}

/**
 * All keys below the prefixes as of one revision. The first request fixes the revision, later ones
 * (more prefixes than one transaction may ask for, further pages) read at it.
 */
export async function listPrefixes(
  cluster: Cluster,
  prefixes: readonly string[],
  options: CallOptions | undefined,
): Promise<Snapshot> {
  let open: KeyRange[] = disjointPrefixes(prefixes).map(prefixRange);
  let revision: bigint | undefined;
  const entries: { readonly entry: Entry; readonly key: Buffer }[] = [];
  while (open.length > 0 || revision === undefined) {
    const next: KeyRange[] = [];
    for (const part of open.length === 0 ? [[]] : chunks(open, MAX_OPERATIONS)) {
      const page = await rangesAt(cluster, part, revision, options);
      revision = page.revision;
      page.replies.forEach((reply, index) => {
        for (const kv of reply.kvs) entries.push({ entry: entryOf(kv), key: kv.key });
        const last = reply.kvs.at(-1);
        const range = part[index];
        if (!reply.more || last === undefined || range === undefined) return;
        next.push({ key: Buffer.concat([last.key, Buffer.from([0])]), range_end: range.range_end });
      });
    }
    open = next;
  }
  entries.sort((a, b) => Buffer.compare(a.key, b.key));
  return { entries: entries.map(({ entry }) => entry), revision };
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
