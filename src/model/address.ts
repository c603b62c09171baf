import { Address6 } from 'ip-address';
import { Fault } from '../base/fault.js';

export type Family = 4 | 6;
export const families: readonly Family[] = [4, 6];

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

/** Number of address bits of a family. */
export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** An IP address as a value; equality is `equals`, text is canonical (RFC 5952 for IPv6, as Go prints it). */
export class Address {
  readonly family: Family;
  readonly value: bigint;
  #text: string | undefined;

  private constructor(family: Family, value: bigint, text?: string) {
    this.family = family;
    this.value = value;
    this.#text = text;
  }

  /** Throws `invalid` unless the text is one plain address: no length, no zone, no leading zeros. */
  static parse(text: string): Address {
    const address = Address.tryParse(text);
    if (address === undefined) {
      throw new Fault('invalid', `"${text.slice(0, 80)}" is no IP address`, {
        reason: 'bad-address',
      });
    }
    return address;
  }

  static tryParse(text: string): Address | undefined {
    if (IPV4.test(text)) {
      let value = 0;
      for (const octet of text.split('.')) value = value * 256 + Number(octet);
      return new Address(4, BigInt(value), text);
    }
    if (text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text) || !text.includes(':')) return undefined;
    if (!Address6.isValid(text)) return undefined;
    return new Address(6, new Address6(text).bigInt());
  }

  static fromValue(family: Family, value: bigint): Address {
    if (value < 0n || value >= 1n << BigInt(bitsOf(family))) {
      throw new Fault('invalid', `${value} is outside the IPv${family} address range`);
    }
    return new Address(family, value);
  }

  /** The address `count` further on; throws `invalid` past the end of the family. */
  plus(count: number | bigint): Address {
    return Address.fromValue(this.family, this.value + BigInt(count));
  }

  equals(other: Address): boolean {
    return this.family === other.family && this.value === other.value;
  }

  compare(other: Address): number {
    if (this.family !== other.family) return this.family - other.family;
    return this.value < other.value ? -1 : this.value > other.value ? 1 : 0;
  }

  /** The address in network byte order: 4 or 16 bytes. */
  bytes(): Uint8Array {
    const size = bitsOf(this.family) / 8;
    const bytes = new Uint8Array(size);
    let rest = this.value;
    for (let index = size - 1; index >= 0; index -= 1) {
      bytes[index] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    return bytes;
  }

  static fromBytes(bytes: Uint8Array): Address {
    if (bytes.length !== 4 && bytes.length !== 16) {
      throw new Fault('invalid', `an address has 4 or 16 bytes, found ${bytes.length}`);
    }
    let value = 0n;
    for (const byte of bytes) value = (value << 8n) | BigInt(byte);
    return new Address(bytes.length === 4 ? 4 : 6, value);
  }

  toString(): string {
    this.#text ??=
      this.family === 4
        ? formatIpv4(Number(this.value))
        : Address6.fromBigInt(this.value).correctForm();
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}
