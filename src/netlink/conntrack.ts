import { isFault } from '../base/fault.js';
import { invariant } from '../base/invariant.js';
import { Address, families, type Family } from '../model/index.js';
import { EINVAL, ENOENT, EOPNOTSUPP, errnoOf } from './errno.js';
import { addressFamilyOf } from './family.js';
import type { NetlinkRequest, Requests } from './request.js';
import { readSysctl } from './sysctl.js';
import {
  bytesAttribute,
  decodeAttributes,
  flaggedNest,
  numberAttribute,
  type Attributes,
  type Message,
} from './wire.js';

const NFNL_SUBSYS_CTNETLINK = 1;
const CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const NFGENMSG_SIZE = 4;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
/** Of a connection that another one announced, such as the data of FTP. */
export const CTA_TUPLE_MASTER = 14;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V6_SRC = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** Of the tuple that comes with the filter only the source address counts. */
const FILTER_SOURCE = 1;

/**
 * The kernel can look for one address in one direction at a time, and each look walks its whole hash
 * table, some 5 ms however few the flows. So it is asked to for few addresses and many flows only.
 */
const MOST_FILTERED = 4;
const FEWEST_FILTERED = 5_000;

const wanted: ReadonlySet<number> = new Set([
  ...[CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_ID],
  ...[CTA_TUPLE_MASTER, CTA_ZONE],
]);

/** A connection as the kernel lists it. */
export interface Flow {
  readonly originalTuple: Buffer;
  readonly replyTuple: Buffer | undefined;
  readonly attributes: Attributes;
  readonly sources: readonly (Address | undefined)[];
}

/**
 * Deletes every flow whose original or reply source is one of the addresses; returns how many went.
 * A flow that ends by itself meanwhile is not counted and no error.
 * @param slow for walking the table, which holds the thread
 * @param quick for the deletions
 */
export async function deleteFlows(
  slow: Requests,
  quick: Requests,
  addresses: readonly Address[],
): Promise<number> {
  let deleted = 0;
  const count = await flowCount();
  if (count === 0) return 0;
  const filtered = addresses.length <= MOST_FILTERED && (count ?? Infinity) >= FEWEST_FILTERED;
  for (const family of families) {
    const ofFamily = addresses.filter((address) => address.family === family);
    if (ofFamily.length === 0) continue;
    const flows = await findFlows(slow, family, ofFamily, filtered);
    const results = await Promise.all(flows.map((flow) => deleteFlow(quick, family, flow)));
    deleted += results.filter(Boolean).length;
  }
  return deleted;
}

/** Original and reply source of every flow, as text. */
export async function flowSources(socket: Requests): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  if ((await flowCount()) === 0) return found;
  for (const family of families) {
    for (const message of await socket.dump(listFlowsRequest(family))) {
      for (const source of decodeFlow(message)?.sources ?? []) {
        if (source !== undefined) found.add(source.toString());
      }
    }
  }
  return found;
}

async function findFlows(
  socket: Requests,
  family: Family,
  addresses: readonly Address[],
  filtered: boolean,
): Promise<readonly Flow[]> {
  const messages = filtered
    ? await dumpFiltered(socket, family, addresses)
    : await socket.dump(listFlowsRequest(family));
  const wanted = new Set(addresses.map(String));
  const found = new Map<string, Flow>();
  for (const message of messages) {
    const flow = decodeFlow(message);
    // Looked at again here: a kernel without filters (before 5.8) sends the whole table.
    if (flow?.sources.some((source) => source !== undefined && wanted.has(source.toString()))) {
      found.set(flow.originalTuple.toString('latin1'), flow);
    }
  }
  return [...found.values()];
}

async function dumpFiltered(
  socket: Requests,
  family: Family,
  addresses: readonly Address[],
): Promise<readonly Message[]> {
  const requests = addresses.flatMap((address) => [
    listFlowsRequest(family, CTA_TUPLE_ORIG, address),
    listFlowsRequest(family, CTA_TUPLE_REPLY, address),
  ]);
  try {
    return (await Promise.all(requests.map((request) => socket.dump(request)))).flat();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== EINVAL && errno !== EOPNOTSUPP) throw error;
    return socket.dump(listFlowsRequest(family));
  }
}

/** Flows of the process' namespace; undefined when the kernel does not tell. */
export async function flowCount(): Promise<number | undefined> {
  try {
    return Number(await readSysctl(['net', 'netfilter', 'nf_conntrack_count']));
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

/** A dump of the family's flows; with an address those that have it as source in this direction. */
export function listFlowsRequest(
  family: Family,
  direction?: typeof CTA_TUPLE_ORIG | typeof CTA_TUPLE_REPLY,
  source?: Address,
): NetlinkRequest {
  const filter: Buffer[] = [];
  if (direction !== undefined && source !== undefined) {
    const original = direction === CTA_TUPLE_ORIG ? FILTER_SOURCE : 0;
    const reply = direction === CTA_TUPLE_REPLY ? FILTER_SOURCE : 0;
    const type = family === 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
    filter.push(
      flaggedNest(direction, flaggedNest(CTA_TUPLE_IP, bytesAttribute(type, source.bytes()))),
      flaggedNest(
        CTA_FILTER,
        numberAttribute(CTA_FILTER_ORIG_FLAGS, original),
        numberAttribute(CTA_FILTER_REPLY_FLAGS, reply),
      ),
    );
  }
  return { what: 'cannot list conntrack flows', type: CT_GET, parts: [header(family), ...filter] };
}

/** True when the flow went by this request. */
export async function deleteFlow(socket: Requests, family: Family, flow: Flow): Promise<boolean> {
  // A delete without a tuple empties the whole table, connections of the host included.
  invariant(flow.originalTuple.length > 0, 'a conntrack flow without a tuple was to be deleted');
  const { attributes } = flow;
  const parts = [header(family), flaggedNest(CTA_TUPLE_ORIG, flow.originalTuple)];
  for (const type of [CTA_ZONE, CTA_ID]) {
    const value = attributes.get(type);
    if (value !== undefined) parts.push(bytesAttribute(type, value));
  }
  try {
    await socket.request({ what: 'cannot delete a conntrack flow', type: CT_DELETE, parts });
    return true;
  } catch (error) {
    if (errnoOf(error) === ENOENT) return false;
    throw error;
  }
}

export function decodeFlow(message: Message): Flow | undefined {
  if (message.body.length < NFGENMSG_SIZE) return undefined;
  const attributes = decodeAttributes(message.body, NFGENMSG_SIZE, wanted);
  const originalTuple = attributes.get(CTA_TUPLE_ORIG);
  if (originalTuple === undefined || originalTuple.length === 0) return undefined;
  const replyTuple = attributes.get(CTA_TUPLE_REPLY);
  const sources = [sourceOf(originalTuple), sourceOf(replyTuple)];
  return { originalTuple, replyTuple, attributes, sources };
}

function sourceOf(tuple: Buffer | undefined): Address | undefined {
  const ip = tuple === undefined ? undefined : decodeAttributes(tuple).get(CTA_TUPLE_IP);
  if (ip === undefined) return undefined;
  const attributes = decodeAttributes(ip);
  const bytes = attributes.get(CTA_IP_V4_SRC) ?? attributes.get(CTA_IP_V6_SRC);
  return bytes === undefined ? undefined : Address.fromBytes(bytes);
}

/** struct nfgenmsg: family, version 0, resource 0. */
function header(family: Family): Buffer {
  const bytes = Buffer.alloc(NFGENMSG_SIZE);
  bytes.writeUInt8(addressFamilyOf(family), 0);
  return bytes;
}
