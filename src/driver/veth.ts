import { isFault, messageOf, toFault, type RecordJournal, type Log } from '../base/index.js';
import { hostInterfaceName, peerInterfaceName } from '../model/index.js';
import type { Netlink } from '../netlink/index.js';

/** On every host end (node-agent §1.3), so that the link-local address is the same for all. */
export const HOST_MAC = 'ee:ee:ee:ee:ee:ee';

/** A pair that is to go: written before the endpoint's commit, so that a crash in between loses nothing. */
interface Tombstone {
  readonly index: number;
  readonly name: string;
}

const GATHER_MS = 200;
/** Larger kernel requests hold up new pairs. */
const BATCH = 60;

export interface VethsOptions {
  readonly netlink: Netlink;
  /** By the name of the host end. */
  readonly tombstones: RecordJournal;
  readonly log: Log;
}

/**
 * Veth pairs of endpoints. Making one takes 0.2 ms; deleting one holds its thread for 16 ms, so
 * pairs go later and together (architecture §3, "Veth pairs that go later").
 */
export class Veths {
  readonly #options: VethsOptions;
  readonly #going = new Map<string, Tombstone>();
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #deleting: Promise<void> = Promise.resolve();

  constructor(options: VethsOptions) {
    this.#options = options;
    for (const [name, record] of options.tombstones.all()) {
      const { index } = record as Partial<Tombstone>;
      if (typeof index === 'number') this.#going.set(name, { index, name });
    }
  }

  /** What an earlier life left over goes too. */
  start(): void {
    if (this.#going.size > 0) this.#schedule();
  }

  /** Deletes what is marked once more, and no later: what stays has its tombstone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.flush();
  }

  /** The pair of an endpoint; one that a lost start left behind is replaced. */
  async create(
    endpointId: string,
    mac: string,
    mtu: number,
  ): Promise<{ readonly name: string; readonly index: number }> {
    const name = hostInterfaceName(endpointId);
    if (this.#going.has(name)) await this.flush();
    const spec = {
      host: { name, mac: HOST_MAC },
      peer: { name: peerInterfaceName(endpointId), mac },
      mtu,
    };
    try {
      const { hostIndex } = await this.#options.netlink.createVeth(spec);
      return { name, index: hostIndex };
    } catch (error) {
      if (!isFault(error, 'exists')) throw error;
    }
    await this.#removeLeftover(name, spec.peer.name);
    const { hostIndex } = await this.#options.netlink.createVeth(spec);
    return { name, index: hostIndex };
  }

  async #removeLeftover(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const link = await this.#options.netlink.linkByName(name);
      if (link !== undefined)
        await this.#options.netlink.deleteLinks([{ index: link.index, name }]);
    }
  }

  /** Sets the host end down: its routes go with it. Absent is success. */
  async down(index: number): Promise<void> {
    try {
      await this.#options.netlink.setLink(index, { up: false });
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }

  /** Marks the pair; it is deleted within a second, or after the next start of the daemon. */
  bury(name: string, index: number): void {
    this.#options.tombstones.write(name, { index, name });
    this.#going.set(name, { index, name });
    this.#schedule();
  }

  /** Marked: whoever had it gave it up. */
  isGoing(name: string): boolean {
    return this.#going.has(name);
  }

  /** Deletes what is marked, now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#deleting = this.#deleting.then(() => this.#deleteMarked());
    await this.#deleting;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      void this.flush();
    }, GATHER_MS);
  }

  async #deleteMarked(): Promise<void> {
    const marked = [...this.#going.values()];
    for (let from = 0; from < marked.length; from += BATCH) {
      const batch = marked.slice(from, from + BATCH);
      try {
        await this.#options.netlink.deleteLinks(batch);
        for (const { name } of batch) {
          this.#going.delete(name);
          this.#options.tombstones.remove(name);
        }
      } catch (error) {
        this.#options.log.warn(
          { links: batch.length, error: messageOf(toFault(error)) },
          'veth pairs stay for the next try',
        );
        this.#schedule();
        return;
      }
    }
  }
}
