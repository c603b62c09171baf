import { deadline, KeptWork, orAbort, type Clock, type Log } from '../base/index.js';
import {
  hostCountKey,
  withSentinels,
  type Entry,
  type Judge,
  type Store,
} from '../datastore/index.js';
import { decodeClusterInformation } from '../model/v3/index.js';
import { epochIn, formatEpoch, type Epoch } from './epoch.js';
import { HostClaims } from './host-claims.js';
import { recordDatastore, type RecordedDatastore } from './identity.js';
import { confirmEpoch, decodeCount, raiseCount, type LineageHost } from './join-epoch.js';
import { clusterInformationKey } from './plan-cluster.js';

export interface LineageKeeperOptions extends Omit<LineageHost, 'store'> {
  /** As it was opened. */
  readonly store: Store;
  readonly storeId: string;
  readonly clusterGuid: string;
  readonly epoch: Epoch;
  /** The count of this host that is known to be stored. */
  readonly count: number;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How long changes are collected before they are confirmed; 2 s unless told. */
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;
const CONFIRM_MS = 10_000;
/** The same at the end. */
const LAST_MS = 1_500;

/** Hosts that a message names. */
const MOST_NAMED = 5;

/** Why no address is given out; the same word in log and `status`. */
export type EpochRefusal = 'hosts-not-claimed' | 'datastore-locked';

export type EpochDecision =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: EpochRefusal; readonly message: string };

/**
 * Watches that the datastore stays the one that it is, and keeps what is needed to tell after a restart. Through `store`
 * nothing comes of another one. Addresses are given out once every host has claimed those of its containers in this epoch.
 */
export class LineageKeeper {
  readonly store: Store;
  readonly #options: LineageKeeperOptions;
  readonly #hosts = new HostClaims();
  readonly #kept: KeptWork;
  #count: number;
  #locked = false;
  /** The newest ClusterInformation that was seen: a list may bring an older one. */
  #seen = 0n;
  /** Something was written since the count was raised. */
  #unconfirmed = false;
  #started = false;
  /** Every host was seen to have claimed: new ones claim before they are seen. */
  #open = false;
  readonly #changed = new Set<() => void>();

  constructor(options: LineageKeeperOptions) {
    const { nodeName, log, everyMs = EVERY_MS } = options;
    this.#options = options;
    this.#count = options.count;
    this.store = withSentinels(options.store, {
      listed: [clusterInformationKey, hostCountKey(nodeName)],
      watched: { key: clusterInformationKey, beside: RESOURCES },
      judging: () => this.#judging(),
      onWritten: () => {
        this.#unconfirmed = true;
        this.#kept.mark();
      },
    });
    this.#kept = new KeptWork({
      what: 'it could not be written down how far the datastore is',
      work: (signal) => this.#confirm(signal),
      log,
      boundMs: CONFIRM_MS,
      settleMs: everyMs,
    });
  }

  /** The addresses of this host are claimed: says so, and follows who else has. */
  async claimed(signal: AbortSignal): Promise<void> {
    const { store } = this;
    const { log, clock } = this.#options;
    const { nodeName, hostUuid, epoch } = this.#options;
    await confirmEpoch({ store, nodeName, hostUuid }, epoch, { signal });
    await this.#write(signal);
    await this.#hosts.follow({ store, log, clock }, (isNews) => this.#onHosts(isNews), signal);
    await this.#record(undefined);
    this.#started = true;
    this.#kept.start();
  }

  /**
   * Hosts whose containers' addresses may not be in the datastore. None in the first epoch, which no exchange begins: hosts
   * of a version without epochs have lost nothing.
   */
  waitingFor(): readonly string[] {
    if (this.#options.epoch.number === 1) return [];
    const { nodeName, epoch } = this.#options;
    return this.#hosts.notIn(formatEpoch(epoch)).filter((name) => name !== nodeName);
  }

  mayAllocate(): EpochDecision {
    if (this.#locked) {
      const message = `the datastore ${this.#options.store.description} is locked: no address is given out until calicoctl datastore migrate unlock`;
      return { ok: false, reason: 'datastore-locked', message };
    }
    if (this.#open) return { ok: true };
    const waiting = this.waitingFor();
    if (waiting.length === 0 && this.#started) {
      this.#open = true;
      return { ok: true };
    }
    const more = waiting.length > MOST_NAMED ? ` and ${waiting.length - MOST_NAMED} more` : '';
    const who = `${waiting.slice(0, MOST_NAMED).join(', ')}${more}`;
    const message =
      `the datastore was exchanged, and the addresses of containers on ${who} are not claimed again yet, so none is given out: ` +
      `start calico-libnetwork there, or, if such a host is gone for good: calicoctl delete node NAME`;
    return { ok: false, reason: 'hosts-not-claimed', message };
  }

  /** Waits until every host has claimed; at once when that is not what is waited for. Rejects with the abort fault. */
  async settled(signal: AbortSignal): Promise<void> {
    while (!this.#locked && !this.mayAllocate().ok) {
      let wake: () => void = () => undefined;
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#changed.add(wake);
      try {
        await orAbort(changed, signal, 'claiming the addresses of all hosts again');
      } finally {
        this.#changed.delete(wake);
      }
    }
  }

  get epoch(): Epoch {
    return this.#options.epoch;
  }

  /** Why the last try to write down how far the datastore is failed. */
  get problem(): string | undefined {
    return this.#kept.problem;
  }

  async stop(): Promise<void> {
    this.#hosts.stop();
    await this.#kept.stop();
    if (!this.#unconfirmed || !this.#started || this.store.exchanged?.aborted === true) return;
    await this.#confirm(deadline(LAST_MS)).catch((error: unknown) => {
      // The next start knows a little less.
      this.#options.log.debug({ err: error }, 'how far the datastore is could not be written down');
    });
  }

  #judging(): Judge {
    // Before the first confirmation there need not be one.
    const least = this.#started ? this.#count : undefined;
    return (key, entry) =>
      key === clusterInformationKey ? this.#judgeCluster(key, entry) : judgeCount(entry, least);
  }

  #judgeCluster(key: string, entry: Entry | undefined): string | undefined {
    const { epoch, clusterGuid } = this.#options;
    if (entry === undefined) return 'it holds no cluster any more';
    try {
      const found = decodeClusterInformation(entry.value, key);
      if (found.clusterGuid !== clusterGuid)
        return `it holds cluster ${found.clusterGuid} and not ${clusterGuid}`;
      const now = epochIn(entry.value);
      if (now?.id !== epoch.id)
        return `its epoch is ${now?.number ?? 'gone'} and was ${epoch.number}`;
      if (entry.revision >= this.#seen) {
        this.#seen = entry.revision;
        this.#locked = found.datastoreReady === false;
      }
      return undefined;
    } catch {
      return 'its ClusterInformation cannot be understood any more';
    }
  }

  #onHosts(isNews: boolean): void {
    if (isNews && this.#started) this.#kept.mark();
    for (const wake of [...this.#changed]) wake();
  }

  /** Written past the sentinels: a mark for its own write would never end. */
  async #confirm(signal: AbortSignal): Promise<void> {
    this.#unconfirmed = false;
    await this.#record(await this.#write(signal));
  }

  async #write(signal: AbortSignal): Promise<bigint> {
    const { nodeName, hostUuid, store } = this.#options;
    const host = { store, nodeName, hostUuid };
    // Read through them: a count that went back is evidence, and would be gone.
    const read = async (key: string): Promise<Entry | undefined> => {
      const { entries } = await this.store.list(key, { signal });
      return entries.find((entry) => entry.key === key);
    };
    const { count, revision } = await raiseCount(host, this.#count, read, { signal });
    this.#count = count;
    return revision;
  }

  async #record(revision: bigint | undefined): Promise<void> {
    const { store, storeId, clusterGuid, epoch, stateDir } = this.#options;
    const record: RecordedDatastore = {
      ...{ type: store.type, storeId, clusterGuid, epoch: formatEpoch(epoch), count: this.#count },
      revision: revision ?? (await store.identify()).revision,
      hosts: this.#hosts.names,
    };
    await recordDatastore(stateDir, record);
  }
}

function judgeCount(entry: Entry | undefined, least: number | undefined): string | undefined {
  if (least === undefined) return undefined;
  const count = decodeCount(entry?.value)?.count;
  if (count !== undefined && count >= least) return undefined;
  return `the count of this host is ${count ?? 'gone'} and was ${least}`;
}

/** Everything that ClusterInformation is watched with. */
const RESOURCES = clusterInformationKey.slice(
  0,
  clusterInformationKey.indexOf('clusterinformations'),
);
