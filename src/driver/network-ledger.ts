import { messageOf, type Log, type RecordJournal } from '../base/index.js';
import {
  commitOrConflict,
  networkRecordKey,
  retryOnConflict,
  type CallOptions,
  type Store,
} from '../datastore/index.js';
import { clusterIdOf, decodeNetwork, encodeNetwork, type StoredNetwork } from './network-record.js';

const ATTEMPTS = 5;

/**
 * The records of this host's networks, as they were stored last, on file: Docker never repeats CreateNetwork, so a datastore
 * that lost them would be the end of those networks.
 */
export class NetworkLedger {
  readonly #files: RecordJournal;
  readonly #node: string;
  readonly #log: Log;

  constructor(options: {
    readonly files: RecordJournal;
    readonly node: string;
    readonly log: Log;
  }) {
    this.#files = options.files;
    this.#node = options.node;
    this.#log = options.log;
  }

  /** What the store has now; networks of other hosts only are passed over. */
  keep({ network, text }: StoredNetwork): void {
    const { networkId, hosts } = network;
    if (hosts[this.#node] !== networkId) return;
    const known = this.#files.all().get(networkId) as { readonly text?: unknown } | undefined;
    if (known?.text !== text) this.#orWarn(() => this.#files.write(networkId, { text }));
  }

  drop(networkId: string): void {
    this.#orWarn(() => this.#files.remove(networkId));
  }

  /** A store that was never exchanged lacks all others: somebody deleted them. */
  dropAllBut(networkIds: readonly string[]): void {
    const kept = new Set(networkIds);
    for (const networkId of this.#files.all().keys()) {
      if (!kept.has(networkId)) this.drop(networkId);
    }
  }

  /** What could not be written down is missing only after the datastore was lost: no reason to refuse a network. */
  #orWarn(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'the record of a network is not on file');
    }
  }

  /** Writes the records that the store lacks, and this host into those that lack it; gives how many it wrote. */
  async writeAgain(store: Store, options: CallOptions): Promise<number> {
    let written = 0;
    for (const [networkId, value] of this.#files.all()) {
      const { text } = value as { readonly text?: unknown };
      if (typeof text !== 'string') continue;
      if (!(await this.#write(store, networkId, text, options))) continue;
      this.#log.info(
        { NetworkID: networkId },
        'the record of a network was gone and is written again',
      );
      written += 1;
    }
    return written;
  }

  async #write(
    store: Store,
    networkId: string,
    text: string,
    options: CallOptions,
  ): Promise<boolean> {
    const clusterId = clusterIdOf(networkId);
    const key = networkRecordKey(clusterId);
    return retryOnConflict(ATTEMPTS, async () => {
      const entry = await store.get(key, options);
      let value = text;
      if (entry !== undefined) {
        const network = decodeNetwork(clusterId, entry.value, this.#node);
        if (network.hosts[this.#node] !== undefined) return false;
        const hosts = { ...network.hosts, [this.#node]: networkId };
        value = encodeNetwork({ ...network, hosts }, entry.value);
      }
      const compares = [{ key, revision: entry?.revision ?? 0n }];
      const transaction = { compares, writes: [{ key, value }] };
      await commitOrConflict(store, transaction, 'the network record', options);
      return true;
    });
  }
}
