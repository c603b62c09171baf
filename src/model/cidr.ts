import { Fault } from '../base/fault.js';
import { Address, bitsOf, type Family } from './address.js';

/** A masked network: the host bits of `base` are always zero. */
export class Cidr {
  readonly base: Address;
  readonly prefix: number;
  #text: string | undefined;

  private constructor(base: Address, prefix: number) {
    this.base = base;
    this.prefix = prefix;
  }

  get family(): Family {
    return this.base.family;
  }

  /** Throws `invalid` when the text is no CIDR or, with `strict`, when host bits are set. */
  static parse(text: string, options: { readonly strict?: boolean } = {}): Cidr {
    const parsed = Cidr.tryParseInterface(text);
    if (parsed === undefined) {
      throw new Fault(
        'invalid',
        `"${text.slice(0, 80)}" is no network in CIDR form (address/length)`,
        { reason: 'bad-cidr' },
      );
    }
    if (options.strict === true && !parsed.cidr.base.equals(parsed.address)) {
      throw new Fault('invalid', `${text} has host bits set; the network is ${parsed.cidr}`, {
        reason: 'bad-cidr',
      });
    }
    return parsed.cidr;
  }

  static tryParse(text: string): Cidr | undefined {
    return Cidr.tryParseInterface(text)?.cidr;
  }

  /** An address with a length, such as `192.0.2.10/24`: both the address and its network. */
  static tryParseInterface(
    text: string,
  ): { readonly address: Address; readonly cidr: Cidr } | undefined {
    const slash = text.indexOf('/');
    if (slash < 0) return undefined;
    const address = Address.tryParse(text.slice(0, slash));
    const length = text.slice(slash + 1);
    if (address === undefined || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
    const prefix = Number(length);
    if (prefix > bitsOf(address.family)) return undefined;
    return { address, cidr: Cidr.of(address, prefix) };
  }

  /** The network of this length that holds the address. */
  static of(address: Address, prefix: number): Cidr {
    const bits = bitsOf(address.family);
    if (!Number.isInteger(prefix) || prefix < 0 || prefix > bits) {
      throw new Fault('invalid', `/${prefix} is no IPv${address.family} prefix length`);
    }
    const host = BigInt(bits - prefix);
    return new Cidr(Address.fromValue(address.family, (address.value >> host) << host), prefix);
  }

  static host(address: Address): Cidr {
    return Cidr.of(address, bitsOf(address.family));
  }

  /** Number of addresses. */
  get size(): bigint {
    return 1n << BigInt(bitsOf(this.family) - this.prefix);
  }

  get last(): Address {
    return this.base.plus(this.size - 1n);
  }

  get isHost(): boolean {
    return this.prefix === bitsOf(this.family);
  }

  contains(address: Address): boolean {
    return (
      address.family === this.family &&
      address.value >= this.base.value &&
      address.value < this.base.value + this.size
    );
  }

  containsCidr(other: Cidr): boolean {
    return other.prefix >= this.prefix && this.contains(other.base);
  }

  overlaps(other: Cidr): boolean {
    return this.containsCidr(other) || other.containsCidr(this);
  }

  equals(other: Cidr): boolean {
    return this.prefix === other.prefix && this.base.equals(other.base);
  }

  compare(other: Cidr): number {
    return this.base.compare(other.base) || this.prefix - other.prefix;
  }

  addressAt(ordinal: number | bigint): Address {
    return this.base.plus(ordinal);
  }

  /** Position of a contained address, 0 for the network address. */
  ordinalOf(address: Address): number {
    if (!this.contains(address))
      throw new Fault('internal', `invariant broken: ${address} is not in ${this}`);
    return Number(address.value - this.base.value);
  }

  toString(): string {
    this.#text ??= `${this.base}/${this.prefix}`;
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}
