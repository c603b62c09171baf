import { Fault, messageOf } from '../../base/fault.js';
import { bitsOf } from '../address.js';
import { Cidr } from '../cidr.js';
import { hostAffinity, type Block, type BlockAttribute } from '../block.js';

/**
 * The codec of IPAM blocks (datamodel §1.17). Blocks have one of their own because they are rewritten
 * on each claim: attribute texts are kept as they are, integers above 2^53 (sequence numbers) are bigint,
 * unknown members survive.
 */

/** Begins a string that stands for an integer too large for a number; no stored text may hold it. */
const MARK = '\u0000int:';
const MARK_TEXT = '"\\u0000int:';
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?\d{16,}/g;

/** JSON.parse with integers of 16 and more digits as bigint. Throws SyntaxError. */
export function parseWithBigIntegers(text: string): unknown {
  if (text.includes('\\u0000')) throw new SyntaxError('a NUL character in a string');
  const quoted = text.replaceAll(STRING_OR_LONG_INTEGER, (token) =>
    token.startsWith('"') ? token : `${MARK_TEXT}${token}"`,
  );
  return JSON.parse(quoted, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

/** JSON text of a value that may hold bigint. */
export function stringifyWithBigIntegers(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(stringifyWithBigIntegers).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${stringifyWithBigIntegers(member)}`).join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** An attribute in the form that current Calico writes: empty members are left out. */
export function blockAttribute(
  handle: string,
  secondary: Readonly<Record<string, string>>,
): BlockAttribute {
  const members =
    Object.keys(secondary).length === 0 ? '' : `,"secondary":${JSON.stringify(secondary)}`;
  return { handle, secondary, text: `{"handle_id":${JSON.stringify(handle)}${members}}` };
}

/** What a released slot holds while it cools down. */
export function coolingAttribute(nowMs: number): BlockAttribute {
  const releasedAt = new Date(nowMs).toISOString();
  return { handle: undefined, secondary: {}, releasedAt, text: `{"releasedAt":"${releasedAt}"}` };
}

const KNOWN = new Set([
  'cidr',
  'affinity',
  'affinity_claim_time',
  'allocations',
  'unallocated',
  'attributes',
  'sequenceNumber',
  'sequenceNumberForAllocation',
  'deleted',
  'hostAffinity',
]);

/**
 * Parses a stored block; throws `corrupt` when it breaks the block's own rules (slots, free list and
 * attributes must agree). Blocks of writers before 3.22 have no sequence number: `nowMs` starts it.
 */
export function decodeBlock(text: string, nowMs: number): Block {
  try {
    const stored = parseWithBigIntegers(text);
    if (!isObject(stored)) throw new Fault('corrupt', 'not an object');
    return fromStored(stored, nowMs);
  } catch (error) {
    throw new Fault('corrupt', `an IPAM block cannot be read: ${messageOf(error)}`, {
      cause: error,
      reason: 'bad-block',
    });
  }
}

function fromStored(stored: Readonly<Record<string, unknown>>, nowMs: number): Block {
  const cidr = Cidr.parse(asText(stored['cidr'], 'cidr'), { strict: true });
  const size = 2 ** (bitsOf(cidr.family) - cidr.prefix);
  const attributes = asArray(stored['attributes'] ?? [], 'attributes').map(decodeAttribute);
  const allocations = asArray(stored['allocations'], 'allocations').map((slot) => {
    if (slot === null) return null;
    if (typeof slot !== 'number' || attributes[slot] === undefined) {
      throw new Fault(
        'corrupt',
        `${cidr}: allocation refers to attribute ${String(slot)}, which is absent`,
      );
    }
    return slot;
  });
  if (allocations.length !== size)
    throw new Fault('corrupt', `${cidr}: ${allocations.length} slots instead of ${size}`);
  const sequence = asBigInt(stored['sequenceNumber']);
  return {
    cidr,
    affinity: decodeAffinity(stored),
    claimTime:
      typeof stored['affinity_claim_time'] === 'string' ? stored['affinity_claim_time'] : '',
    allocations,
    unallocated: decodeFree(stored['unallocated'], allocations, cidr),
    attributes,
    sequenceNumber: sequence === 0n ? BigInt(nowMs) * 1_000_000n : sequence,
    sequenceNumbers: decodeSequences(stored['sequenceNumberForAllocation']),
    unknown: Object.entries(stored)
      .filter(([name]) => !KNOWN.has(name))
      .map(([name, value]) => `${JSON.stringify(name)}:${stringifyWithBigIntegers(value)}`),
  };
}

function decodeAffinity(stored: Readonly<Record<string, unknown>>): string | null {
  const { affinity, hostAffinity: host } = stored;
  if (typeof affinity === 'string' && affinity !== '') return affinity;
  // Before 3.x: the host's name alone, in another member.
  return typeof host === 'string' && host !== '' ? hostAffinity(host) : null;
}

/** The free list must be exactly the null slots, or an address could go to two holders. */
function decodeFree(
  stored: unknown,
  allocations: readonly (number | null)[],
  cidr: Cidr,
): number[] {
  const free = asArray(stored ?? [], 'unallocated').map((ordinal) => {
    if (typeof ordinal !== 'number' || allocations[ordinal] !== null) {
      throw new Fault(
        'corrupt',
        `${cidr}: free list holds ${String(ordinal)}, which is taken or outside`,
      );
    }
    return ordinal;
  });
  const distinct = new Set(free).size;
  const nulls = allocations.filter((slot) => slot === null).length;
  if (distinct !== free.length || distinct !== nulls) {
    throw new Fault(
      'corrupt',
      `${cidr}: ${free.length} entries in the free list for ${nulls} free slots`,
    );
  }
  return free;
}

function decodeAttribute(stored: unknown): BlockAttribute {
  if (!isObject(stored)) throw new Fault('corrupt', 'an attribute is no object');
  const { handle_id: handle, secondary, releasedAt } = stored;
  const texts: Record<string, string> = {};
  if (isObject(secondary)) {
    for (const [name, value] of Object.entries(secondary))
      if (typeof value === 'string') texts[name] = value;
  }
  return {
    // Malformed data of early Calico ended a handle with a carriage return and more; Calico compares up to there.
    handle: typeof handle === 'string' ? (handle.split('\r', 1)[0] ?? '') : undefined,
    secondary: texts,
    ...(typeof releasedAt === 'string' ? { releasedAt } : {}),
    text: stringifyWithBigIntegers(stored),
  };
}

function decodeSequences(stored: unknown): Map<number, bigint> {
  const sequences = new Map<number, bigint>();
  if (isObject(stored)) {
    for (const [ordinal, sequence] of Object.entries(stored))
      sequences.set(Number(ordinal), asBigInt(sequence));
  }
  return sequences;
}

/** The stored form of a block, members in the order in which Calico writes them. */
export function encodeBlock(block: Block): string {
  const members = [`"cidr":"${block.cidr}"`, `"affinity":${JSON.stringify(block.affinity)}`];
  if (block.claimTime !== '')
    members.push(`"affinity_claim_time":${JSON.stringify(block.claimTime)}`);
  const sequences = [...block.sequenceNumbers].sort(([a], [b]) => a - b);
  members.push(
    `"allocations":${JSON.stringify(block.allocations)}`,
    `"unallocated":${JSON.stringify(block.unallocated)}`,
    `"attributes":[${block.attributes.map((attribute) => attribute.text).join(',')}]`,
    `"sequenceNumber":${block.sequenceNumber}`,
    `"sequenceNumberForAllocation":{${sequences.map(([ordinal, sequence]) => `"${ordinal}":${sequence}`).join(',')}}`,
    '"deleted":false',
    ...block.unknown,
  );
  return `{${members.join(',')}}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new Fault('corrupt', `${name} is missing`);
  return value;
}

function asArray(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Fault('corrupt', `${name} is missing`);
  return value;
}

function asBigInt(value: unknown): bigint {
  return typeof value === 'bigint'
    ? value
    : typeof value === 'number' && Number.isInteger(value)
      ? BigInt(value)
      : 0n;
}
