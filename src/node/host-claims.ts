import {
  createSyncer,
  hostRecordPrefix,
  resourcePrefix,
  type Entry,
  type Syncer,
  type SyncerOptions,
} from '../datastore/index.js';
import { decodeHostRecord, type HostRecord } from './host-record.js';

const nodePrefix = resourcePrefix('nodes');

/** Which hosts there are, and in which epoch each has claimed the addresses of its containers. */
export class HostClaims {
  readonly #records = new Map<string, HostRecord | undefined>();
  readonly #nodes = new Set<string>();
  #syncers: readonly Syncer[] = [];

  /** Settles when all are read; `onChange` is told each time whether a host came or went. */
  async follow(
    parts: Pick<SyncerOptions, 'store' | 'log' | 'clock'>,
    onChange: (isNews: boolean) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const syncer = (
      prefix: string,
      clear: () => void,
      set: (name: string, entry: Entry | undefined) => boolean,
    ): Syncer =>
      createSyncer({
        ...{ ...parts, prefixes: [prefix] },
        listener: {
          onSnapshot: (all) => {
            clear();
            for (const [key, entry] of all) set(key.slice(prefix.length), entry);
            onChange(true);
          },
          onChange: (key, entry) => onChange(set(key.slice(prefix.length), entry)),
        },
      });
    // Two watches: what lies between these in the key space is a lot.
    this.#syncers = [
      syncer(hostRecordPrefix, () => this.#records.clear(), this.#setRecord.bind(this)),
      syncer(nodePrefix, () => this.#nodes.clear(), this.#setNode.bind(this)),
    ];
    for (const one of this.#syncers) await one.ready(signal);
  }

  stop(): void {
    for (const syncer of this.#syncers) syncer.stop();
  }

  /** Hosts that may have containers whose addresses are not claimed in this epoch, in order. */
  notIn(epoch: string): readonly string[] {
    return this.names.filter((name) => this.#records.get(name)?.epoch !== epoch);
  }

  /**
   * Hosts that are part of the cluster, in order. Calico's own `calicoctl delete node` takes the Node and leaves our
   * record, with the epoch of then; one without an epoch may be of a host that is on its way in.
   */
  get names(): readonly string[] {
    return [...this.#records]
      .filter(([name, record]) => record?.epoch === undefined || this.#nodes.has(name))
      .map(([name]) => name)
      .sort();
  }

  #setRecord(name: string, entry: Entry | undefined): boolean {
    const isNew = !this.#records.has(name);
    if (entry === undefined) this.#records.delete(name);
    else this.#records.set(name, decodeHostRecord(entry.value));
    return isNew || entry === undefined;
  }

  #setNode(name: string, entry: Entry | undefined): boolean {
    const isNews = this.#nodes.has(name) === (entry === undefined);
    if (entry === undefined) this.#nodes.delete(name);
    else this.#nodes.add(name);
    return isNews;
  }
}
