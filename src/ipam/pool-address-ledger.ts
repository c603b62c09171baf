import { messageOf, type Log, type RecordJournal } from '../base/index.js';
import { Address } from '../model/index.js';
import type { Allocator } from './allocator.js';
import type { LiveClaim } from './allocator-options.js';
import { poolHandle } from './owner.js';

/** Gateway and auxiliary addresses of Docker's networks on file: Docker asks for them once, and a datastore may lose them. */
export class PoolAddressLedger {
  readonly #files: RecordJournal;
  readonly #log: Log;

  constructor(files: RecordJournal, log: Log) {
    this.#files = files;
    this.#log = log;
  }

  keep(poolId: string, address: Address): void {
    const name = nameOf(poolId, address);
    this.#orWarn(() => {
      if (!this.#files.all().has(name)) this.#files.write(name, {});
    });
  }

  /** Puts down those that the datastore knows: a version before kept none. */
  async complete(
    allocator: Pick<Allocator, 'poolAddresses'>,
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    for (const { poolId, addresses } of await allocator.poolAddresses(new Set(), options))
      for (const address of addresses) this.keep(poolId, address);
  }

  drop(poolId: string, address: Address): void {
    this.#orWarn(() => this.#files.remove(nameOf(poolId, address)));
  }

  dropPool(poolId: string): void {
    this.#orWarn(() => {
      for (const name of this.#files.all().keys()) {
        if (name.startsWith(`${poolId} `)) this.#files.remove(name);
      }
    });
  }

  /** What could not be written down is missing only after the datastore was lost: no reason to refuse a network. */
  #orWarn(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'an address of a network is not on file');
    }
  }

  /** Claims what a datastore lacks of them; gives those that somebody else holds there. */
  async claimAgain(
    allocator: Pick<Allocator, 'claimAgain'>,
    options: { readonly signal: AbortSignal },
  ): Promise<
    readonly { readonly address: string; readonly here: string; readonly there: string }[]
  > {
    const claims = this.#claims();
    const outcomes = await allocator.claimAgain(claims, options);
    return claims.flatMap(({ address }, at) => {
      const outcome = outcomes[at];
      if (outcome?.type !== 'conflict') return [];
      const here = 'gateway or auxiliary address of a network of this host';
      return [{ address: String(address), here, there: outcome.holder }];
    });
  }

  #claims(): readonly LiveClaim[] {
    return [...this.#files.all().keys()].flatMap((name): LiveClaim[] => {
      const at = name.lastIndexOf(' ');
      const address = Address.tryParse(name.slice(at + 1));
      if (address === undefined) return [];
      return [{ address, handle: poolHandle(name.slice(0, at)), mac: '' }];
    });
  }
}

const nameOf = (poolId: string, address: Address): string => `${poolId} ${address}`;
