import type { Address, Family } from '../model/index.js';

/** An address that this daemon gave out since it started; the truth is the block. */
export interface Lease {
  readonly address: Address;
  readonly handle: string;
  readonly mac: string;
  readonly poolId: string;
  readonly claimedAtMs: number;
  /** Undefined until CreateEndpoint brought it. */
  readonly endpointId?: string;
}

/** Docker asks for the second family of an endpoint right after the first. */
const SIBLING_MS = 30_000;

export class Leases {
  readonly #byAddress = new Map<string, Lease>();
  readonly #unboundByMac = new Map<string, Lease[]>();

  get(address: Address): Lease | undefined {
    return this.#byAddress.get(address.toString());
  }

  /** What this MAC asked for before and no endpoint has yet: Docker asks again. */
  unboundOf(address: Address, mac: string): Lease | undefined {
    const lease = this.get(address);
    if (mac === '' || lease?.mac !== mac || lease.endpointId !== undefined) return undefined;
    return lease;
  }

  add(lease: Lease): void {
    this.remove(lease.address);
    this.#byAddress.set(lease.address.toString(), lease);
    if (lease.mac === '' || lease.endpointId !== undefined) return;
    const same = this.#unboundByMac.get(lease.mac);
    if (same === undefined) this.#unboundByMac.set(lease.mac, [lease]);
    else same.push(lease);
  }

  bind(address: Address, endpointId: string): void {
    const lease = this.get(address);
    if (lease !== undefined) this.add({ ...lease, endpointId });
  }

  remove(address: Address): void {
    const lease = this.get(address);
    if (lease === undefined) return;
    this.#byAddress.delete(address.toString());
    const rest = this.#unboundByMac.get(lease.mac)?.filter((other) => other !== lease) ?? [];
    if (rest.length === 0) this.#unboundByMac.delete(lease.mac);
    else this.#unboundByMac.set(lease.mac, rest);
  }

  /**
   * The lease of the same endpoint in the other family. A MAC ties the two calls of one start
   * on one host and nothing more, so only unbound leases of the last half minute count.
   */
  siblingOf(mac: string, family: Family, nowMs: number): Lease | undefined {
    if (mac === '') return undefined;
    return this.#unboundByMac
      .get(mac)
      ?.find((lease) => lease.address.family !== family && nowMs - lease.claimedAtMs < SIBLING_MS);
  }

  get size(): number {
    return this.#byAddress.size;
  }
}
