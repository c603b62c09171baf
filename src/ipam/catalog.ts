import { isFault, messageOf, type Log } from '../base/index.js';
import {
  ipamConfigKey,
  resourceKey,
  resourcePrefix,
  type Entry,
  type SyncListener,
} from '../datastore/index.js';
import {
  defaultIpamConfig,
  type IpamConfig,
  type IpPool,
  type IpReservation,
  type Node,
} from '../model/index.js';
import {
  decodeIpamConfig,
  decodeIpPool,
  decodeIpReservation,
  decodeNode,
} from '../model/v3/index.js';

/** A stored object with the key and revision that a claim compares. */
export interface Versioned<T> {
  readonly value: T;
  readonly key: string;
  /** 0 when the key does not exist. */
  readonly revision: bigint;
}

const POOLS = resourcePrefix('ippools');
const RESERVATIONS = resourcePrefix('ipreservations');

/**
 * Pools, reservations, IPAM configuration and the own Node, kept fresh by a watch.
 *
 * Never trusted for safety: every claim compares the revisions of what it was decided from, and
 * what a failed compare reads comes back through `absorb`. An entry older than the known one is ignored,
 * because the watch may lag behind an answer.
 */
export class Catalog implements SyncListener {
  readonly #nodeKey: string;
  readonly #log: Log;
  readonly #pools = new Map<string, Versioned<IpPool>>();
  readonly #reservations = new Map<string, IpReservation>();
  #config: Versioned<IpamConfig> = { value: defaultIpamConfig, key: ipamConfigKey, revision: 0n };
  #node: Versioned<Node | undefined>;

  constructor(node: string, log: Log) {
    this.#nodeKey = resourceKey('nodes', node);
    this.#node = { value: undefined, key: this.#nodeKey, revision: 0n };
    this.#log = log;
  }

  /** What a syncer has to watch for it. */
  get prefixes(): readonly string[] {
    return [POOLS, RESERVATIONS, ipamConfigKey, this.#nodeKey];
  }

  get poolPrefix(): string {
    return POOLS;
  }

  /** In key order, the order in which Calico tries them. */
  get pools(): readonly Versioned<IpPool>[] {
    return [...this.#pools.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  pool(name: string): Versioned<IpPool> | undefined {
    return this.#pools.get(resourceKey('ippools', name));
  }

  get reservations(): readonly IpReservation[] {
    return [...this.#reservations.values()];
  }

  get config(): Versioned<IpamConfig> {
    return this.#config;
  }

  get node(): Versioned<Node | undefined> {
    return this.#node;
  }

  onSnapshot(all: ReadonlyMap<string, Entry>): void {
    for (const key of [
      ...this.#pools.keys(),
      ...this.#reservations.keys(),
      ipamConfigKey,
      this.#nodeKey,
    ]) {
      if (!all.has(key)) this.onChange(key, undefined);
    }
    for (const [key, entry] of all) this.onChange(key, entry);
  }

  onChange(key: string, entry: Entry | undefined): void {
    if (key.startsWith(POOLS)) this.#setPool(key, entry);
    else if (key.startsWith(RESERVATIONS)) this.#setReservation(key, entry);
    else if (key === ipamConfigKey) this.#setConfig(entry);
    else if (key === this.#nodeKey) this.#setNode(entry);
  }

  /** What a failed commit read: newer than the cache, unless the watch was faster. */
  absorb(current: ReadonlyMap<string, Entry | undefined>): void {
    for (const [key, entry] of current) this.onChange(key, entry);
  }

  #setPool(key: string, entry: Entry | undefined): void {
    const known = this.#pools.get(key);
    if (entry === undefined) this.#pools.delete(key);
    else if (known === undefined || known.revision <= entry.revision) {
      const value = this.#decode(entry, decodeIpPool);
      if (value === undefined) this.#pools.delete(key);
      else this.#pools.set(key, { value, key, revision: entry.revision });
    }
  }

  #setReservation(key: string, entry: Entry | undefined): void {
    const value = entry === undefined ? undefined : this.#decode(entry, decodeIpReservation);
    if (value === undefined) this.#reservations.delete(key);
    else this.#reservations.set(key, value);
  }

  #setConfig(entry: Entry | undefined): void {
    if (entry !== undefined && entry.revision < this.#config.revision) return;
    const value = decodeIpamConfig(entry?.value);
    this.#config = { value, key: ipamConfigKey, revision: entry?.revision ?? 0n };
  }

  #setNode(entry: Entry | undefined): void {
    if (entry !== undefined && entry.revision < this.#node.revision) return;
    const value = entry === undefined ? undefined : this.#decode(entry, decodeNode);
    this.#node = { value, key: this.#nodeKey, revision: entry?.revision ?? 0n };
  }

  /** An object that cannot be read counts as absent, as Calico's clients treat it; it is said once per revision. */
  #decode<T>(entry: Entry, decode: (text: string) => T): T | undefined {
    try {
      return decode(entry.value);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#log.warn(
        { key: entry.key, revision: String(entry.revision), error: messageOf(error) },
        'object ignored',
      );
      return undefined;
    }
  }
}
