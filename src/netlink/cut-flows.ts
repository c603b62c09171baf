import { setImmediate as breathe } from 'node:timers/promises';
import { Address, families, type Family } from '../model/index.js';
import {
  CTA_TUPLE_MASTER,
  decodeFlow,
  deleteFlow,
  flowCount,
  listFlowsRequest,
  type Flow,
} from './conntrack.js';
import type { ConnectionFlow } from './port.js';
import type { Requests } from './request.js';
import { decodeAttributes } from './wire.js';

const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const SOURCES = [1, 3];
const DESTINATIONS = [2, 4];
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
/** Type and code, in ICMP's and ICMPv6's attributes. */
const TYPES = [5, 8];
const CODES = [6, 9];
/** Judging holds the thread: so many flows at a time. */
const MOST_AT_ONCE = 200;

/** See `Netlink.cutFlows`. */
export async function cutFlows(
  slow: Requests,
  quick: Requests,
  isForbidden: (flow: ConnectionFlow) => boolean,
): Promise<number> {
  let deleted = 0;
  for await (const { family, flow, judged } of eachFlow(slow)) {
    if (isForbidden(judged) && (await deleteFlow(quick, family, flow))) deleted += 1;
  }
  return deleted;
}

/** See `Netlink.listFlows`. */
export async function listFlows(
  slow: Requests,
  isWanted: (flow: ConnectionFlow) => boolean,
): Promise<readonly ConnectionFlow[]> {
  const found: ConnectionFlow[] = [];
  for await (const { judged } of eachFlow(slow)) if (isWanted(judged)) found.push(judged);
  return found;
}

interface Listed {
  readonly family: Family;
  readonly flow: Flow;
  readonly judged: ConnectionFlow;
}

async function* eachFlow(slow: Requests): AsyncGenerator<Listed> {
  if ((await flowCount()) === 0) return;
  for (const family of families) {
    const messages = await slow.dump(listFlowsRequest(family));
    for (const [at, message] of messages.entries()) {
      if (at % MOST_AT_ONCE === MOST_AT_ONCE - 1) await breathe();
      const flow = decodeFlow(message);
      // Related to another connection: rules let it in for that one's sake.
      if (flow?.attributes.has(CTA_TUPLE_MASTER) === true) continue;
      const judged = flow && flowOf(flow.originalTuple, flow.replyTuple);
      if (flow !== undefined && judged !== undefined) yield { family, flow, judged };
    }
  }
}

/** As packets meet the rules: sources before they are translated, destinations after. */
function flowOf(original: Buffer, reply: Buffer | undefined): ConnectionFlow | undefined {
  const from = decodeTuple(original);
  const back = reply === undefined ? undefined : decodeTuple(reply);
  if (from?.source === undefined || back?.source === undefined) return undefined;
  const { source, protocol, sourcePort, icmpType, icmpCode } = from;
  const ports = sourcePort === undefined ? {} : { sourcePort };
  const target = back.sourcePort === undefined ? {} : { destinationPort: back.sourcePort };
  const icmp = icmpType === undefined || icmpCode === undefined ? {} : { icmpType, icmpCode };
  const sent = from.destination?.equals(back.source) === false ? { translated: true as const } : {};
  return { source, destination: back.source, ...sent, protocol, ...ports, ...target, ...icmp };
}

interface Tuple {
  readonly source: Address | undefined;
  readonly destination: Address | undefined;
  readonly protocol: number;
  readonly sourcePort: number | undefined;
  readonly icmpType: number | undefined;
  readonly icmpCode: number | undefined;
}

function decodeTuple(tuple: Buffer): Tuple | undefined {
  const attributes = decodeAttributes(tuple);
  const ip = attributes.get(CTA_TUPLE_IP);
  const proto = attributes.get(CTA_TUPLE_PROTO);
  if (ip === undefined || proto === undefined) return undefined;
  const addresses = decodeAttributes(ip);
  const first = (types: readonly number[]): Buffer | undefined =>
    types.map((type) => addresses.get(type)).find((bytes) => bytes !== undefined);
  const bytes = first(SOURCES);
  const target = first(DESTINATIONS);
  if (bytes === undefined || target === undefined) return undefined;
  const parts = decodeAttributes(proto);
  const byte = (types: readonly number[]): number | undefined =>
    types
      .map((type) => parts.get(type))
      .find((value) => value !== undefined)
      ?.readUInt8(0);
  return {
    source: Address.fromBytes(bytes),
    destination: Address.fromBytes(target),
    protocol: parts.get(CTA_PROTO_NUM)?.readUInt8(0) ?? 0,
    // Both or none: protocols without ports have neither.
    sourcePort: parts.has(CTA_PROTO_DST_PORT)
      ? parts.get(CTA_PROTO_SRC_PORT)?.readUInt16BE(0)
      : undefined,
    icmpType: byte(TYPES),
    icmpCode: byte(CODES),
  };
}
