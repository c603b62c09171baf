import { messageOf, type Log } from '../../base/index.js';
import {
  affinityPrefix,
  resourceKey,
  resourcePrefix,
  type Entry,
  type SyncListener,
} from '../../datastore/index.js';
import {
  Cidr,
  families,
  type BgpConfiguration,
  type BgpFilter,
  type BgpPeer,
  type IpPool,
  type Node,
} from '../../model/index.js';
import {
  decodeAffinity,
  decodeBgpConfiguration,
  decodeBgpFilter,
  decodeBgpPeer,
  decodeIpPool,
  decodeNode,
} from '../../model/v3/index.js';
import type { BgpFacts, BgpNote } from './facts.js';

/** Objects below one prefix, by stored key. */
class Shelf<T> {
  readonly prefix: string;
  readonly items = new Map<string, T>();
  readonly #decode: (text: string, key: string) => T | undefined;

  constructor(prefix: string, decode: (text: string, key: string) => T | undefined) {
    this.prefix = prefix;
    this.#decode = decode;
  }

  put(key: string, text: string | undefined): void {
    this.items.delete(key);
    const value = text === undefined ? undefined : this.#decode(text, key);
    if (value !== undefined) this.items.set(key, value);
  }
}

/** What BIRD's configuration follows from, out of the store. What cannot be read counts as absent. */
export class BgpView implements SyncListener {
  readonly #nodeName: string;
  readonly #log: Log;
  readonly #onChanged: () => void;
  readonly #texts = new Map<string, string>();
  readonly #unreadable = new Map<string, string>();
  readonly #nodes: Shelf<Node>;
  readonly #pools: Shelf<IpPool>;
  readonly #configurations: Shelf<BgpConfiguration>;
  readonly #peers: Shelf<BgpPeer>;
  readonly #filters: Shelf<BgpFilter>;
  readonly #blocks: readonly Shelf<Cidr>[];
  readonly #shelves: readonly Shelf<unknown>[];
  #inSync = false;
  #version = 0;

  constructor(nodeName: string, log: Log, onChanged: () => void) {
    this.#nodeName = nodeName;
    this.#log = log;
    this.#onChanged = onChanged;
    this.#nodes = new Shelf(resourcePrefix('nodes'), decodeNode);
    this.#pools = new Shelf(resourcePrefix('ippools'), decodeIpPool);
    this.#configurations = new Shelf(resourcePrefix('bgpconfigurations'), decodeBgpConfiguration);
    this.#peers = new Shelf(resourcePrefix('bgppeers'), decodeBgpPeer);
    this.#filters = new Shelf(resourcePrefix('bgpfilters'), decodeBgpFilter);
    this.#blocks = families.map((family) => new Shelf(affinityPrefix(nodeName, family), ownBlock));
    this.#shelves = [
      ...[this.#nodes, this.#pools, this.#configurations, this.#peers, this.#filters],
      ...this.#blocks,
    ];
  }

  /** What a syncer has to follow. */
  get prefixes(): readonly string[] {
    return this.#shelves.map(({ prefix }) => prefix);
  }

  get inSync(): boolean {
    return this.#inSync;
  }

  /** Another after each change. */
  get version(): number {
    return this.#version;
  }

  /** Objects of BGP that cannot be understood; others are named by who else reads them. */
  get notes(): readonly BgpNote[] {
    return [...this.#unreadable].map(([subject, details]) => ({
      reason: 'object-unreadable',
      subject,
      details,
    }));
  }

  /** Nothing runs on this host, and it is to speak to nobody. */
  get drained(): boolean {
    return this.#nodes.items.get(resourceKey('nodes', this.#nodeName))?.drain === 'empty';
  }

  facts(passwords: ReadonlyMap<string, string>): BgpFacts {
    return {
      nodeName: this.#nodeName,
      nodes: [...this.#nodes.items.values()],
      configurations: [...this.#configurations.items.values()],
      peers: [...this.#peers.items.values()],
      filters: [...this.#filters.items.values()],
      pools: [...this.#pools.items.values()],
      blocks: this.#blocks.flatMap(({ items }) => [...items.values()]),
      passwords,
    };
  }

  onSnapshot(all: ReadonlyMap<string, Entry>): void {
    for (const key of [...this.#texts.keys()]) if (!all.has(key)) this.onChange(key, undefined);
    for (const [key, entry] of all) this.onChange(key, entry);
    this.#inSync = true;
    this.#onChanged();
  }

  onChange(key: string, entry: Entry | undefined): void {
    const shelf = this.#shelves.find(({ prefix }) => key.startsWith(prefix));
    if (shelf === undefined || entry?.value === this.#texts.get(key)) return;
    if (entry === undefined) this.#texts.delete(key);
    else this.#texts.set(key, entry.value);
    this.#unreadable.delete(key);
    try {
      shelf.put(key, entry?.value);
    } catch (error) {
      this.#refuse(shelf, key, messageOf(error));
    }
    this.#version += 1;
    if (this.#inSync) this.#onChanged();
  }

  #refuse(shelf: Shelf<unknown>, key: string, why: string): void {
    if (shelf === this.#nodes || shelf === this.#pools) return;
    this.#unreadable.set(key, why);
    this.#log.warn({ key, reason: why }, 'a stored object cannot be understood');
  }
}

/** A block that is surely this host's; one that is being claimed or given up is not announced whole. */
function ownBlock(text: string, key: string): Cidr | undefined {
  if (decodeAffinity(text) !== 'confirmed') return undefined;
  const [base, prefix] = key.slice(key.lastIndexOf('/') + 1).split(/-(?=\d+$)/);
  return Cidr.parse(`${base}/${prefix}`);
}
