import { Fault } from '../base/fault.js';

/** Message flags (linux/netlink.h). */
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_ECHO = 0x8;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE = 0x400;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
const TYPE_MASK = 0x3fff;
const NLA_F_NESTED = 0x8000;

/** One message of the kernel; `body` is what follows the netlink header. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The socket that caused a notification; 0 when the kernel did. */
  readonly port: number;
  readonly body: Buffer;
}

export type Attributes = ReadonlyMap<number, Buffer>;

/**
 * A whole message. Byte order is the host's, which is little-endian on every platform that the
 * netlink package has a binary for.
 */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  parts: readonly Uint8Array[],
): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + parts.reduce((sum, part) => sum + part.length, 0), 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, ...parts]);
}

/** The messages of one datagram; throws `internal` when its lengths contradict each other. */
export function decodeMessages(datagram: Buffer): readonly Message[] {
  const messages: Message[] = [];
  for (let at = 0; at + HEADER <= datagram.length;) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER || at + length > datagram.length) throw malformed('message', length);
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      port: datagram.readUInt32LE(at + 12),
      body: datagram.subarray(at + HEADER, at + length),
    });
    at += padded(length);
  }
  return messages;
}

/**
 * Attributes from `offset` to the end; of a repeated type the last one counts. With `wanted` only
 * those: a link has some fifty, and making a view of each is most of reading a dump.
 */
export function decodeAttributes(
  buffer: Buffer,
  offset = 0,
  wanted?: ReadonlySet<number>,
): Attributes {
  const found = new Map<number, Buffer>();
  for (let at = offset; at + ATTRIBUTE_HEADER <= buffer.length;) {
    const length = buffer.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER || at + length > buffer.length)
      throw malformed('attribute', length);
    const type = buffer.readUInt16LE(at + 2) & TYPE_MASK;
    if (wanted === undefined || wanted.has(type)) {
      found.set(type, buffer.subarray(at + ATTRIBUTE_HEADER, at + length));
    }
    at += padded(length);
  }
  return found;
}

/** The elements of a list: attributes of one type, in order. */
export function* decodeList(buffer: Buffer): Generator<Buffer> {
  for (let at = 0; at + ATTRIBUTE_HEADER <= buffer.length;) {
    const length = buffer.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER || at + length > buffer.length)
      throw malformed('attribute', length);
    yield buffer.subarray(at + ATTRIBUTE_HEADER, at + length);
    at += padded(length);
  }
}

export function bytesAttribute(type: number, value: Uint8Array): Buffer {
  const attribute = Buffer.alloc(padded(ATTRIBUTE_HEADER + value.length));
  attribute.writeUInt16LE(ATTRIBUTE_HEADER + value.length, 0);
  attribute.writeUInt16LE(type, 2);
  attribute.set(value, ATTRIBUTE_HEADER);
  return attribute;
}

export function numberAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytesAttribute(type, bytes);
}

/** A number of one byte. */
export function byteAttribute(type: number, value: number): Buffer {
  return bytesAttribute(type, Buffer.of(value));
}

/** A number of two bytes in network order, as ports are. */
export function portAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytesAttribute(type, bytes);
}

export function textAttribute(type: number, value: string): Buffer {
  return bytesAttribute(type, Buffer.from(`${value}\0`));
}

/** An attribute that holds others, as rtnetlink wants it: without the nested flag. */
export function nest(type: number, ...children: readonly Uint8Array[]): Buffer {
  return bytesAttribute(type, Buffer.concat(children));
}

/** The same with NLA_F_NESTED, as nfnetlink wants it. */
export function flaggedNest(type: number, ...children: readonly Uint8Array[]): Buffer {
  return nest(type | NLA_F_NESTED, ...children);
}

/** Text up to its closing zero; empty when absent. */
export function textOf(value: Buffer | undefined): string {
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

export function numberOf(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 4 ? undefined : value.readUInt32LE(0);
}

export function macBytes(mac: string): Uint8Array {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** Lower case with colons, whatever the length: IPIP devices have addresses of 4 bytes. */
export function macText(value: Buffer | undefined): string {
  return value === undefined ? '' : (value.toString('hex').match(/../g) ?? []).join(':');
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function malformed(what: string, length: number): Fault {
  return new Fault(
    'internal',
    `the kernel sent a netlink ${what} with an impossible length: ${length}`,
    {
      reason: 'malformed-netlink',
    },
  );
}
