import { isFault } from '../base/index.js';
import type { Family } from '../model/index.js';
import {
  ensureFirewalld,
  ensureForwardAccepts,
  ensureInputAccepts,
  type FirewalldState,
  type ForwardState,
  type HostOpening,
  type InputState,
  type Run,
} from './nat/index.js';
import type { Nft } from '../nft/index.js';

const CHAINS = ['DOCKER-USER', 'FORWARD', 'INPUT'];

export type Openings = Readonly<Partial<Record<Family, readonly HostOpening[]>>>;

/** What is to be let through. */
export interface Accepts {
  readonly families: readonly Family[];
  readonly openings: Openings;
  /** All that is wanted is known: other openings of ours go. Before that they may serve living tunnels. */
  readonly close: boolean;
  /** iptables is asked even when its chains look as they did. */
  readonly force: boolean;
}

/**
 * Keeps the accepts for forwarded packets in iptables and in firewalld's table. Other programs change iptables all the time
 * (Docker does for every published port): a look at the chains that matter, within this process,
 * tells whether iptables has to be run at all. With openings to the host itself INPUT is kept too.
 */
export class ForwardKeeper {
  readonly #nft: Nft;
  readonly #run: Run | undefined;
  readonly #states: Partial<Record<Family, ForwardState>> = {};
  readonly #inputs: Partial<Record<Family, InputState>> = {};
  #firewalld: FirewalldState = 'absent';
  readonly #opened = new Map<Family, string>();
  readonly #seen = new Map<Family, string>();

  constructor(nft: Nft, run: Run | undefined) {
    this.#nft = nft;
    this.#run = run;
  }

  get states(): Readonly<Partial<Record<Family, ForwardState>>> {
    return this.#states;
  }

  /** Of families with openings to the host itself. */
  get inputs(): Readonly<Partial<Record<Family, InputState>>> {
    return this.#inputs;
  }

  get firewalld(): FirewalldState {
    return this.#firewalld;
  }

  async ensure({ families, openings, close, force }: Accepts, signal: AbortSignal): Promise<void> {
    this.#firewalld = await ensureFirewalld(this.#nft, openings, close);
    for (const family of families) {
      const wanted = { openings: openings[family] ?? [], close };
      const same = this.#opened.get(family) === JSON.stringify(wanted);
      if (!force && same && this.#seen.get(family) === (await this.#look(family))) continue;
      this.#seen.delete(family);
      this.#states[family] = await ensureForwardAccepts(family, signal, this.#run);
      const input = await ensureInputAccepts(family, wanted, signal, this.#run);
      if (wanted.openings.length === 0) delete this.#inputs[family];
      else this.#inputs[family] = input;
      this.#opened.set(family, JSON.stringify(wanted));
      this.#seen.set(family, await this.#look(family));
    }
  }

  /** The chains as nft shows them, without what changes by itself. */
  async #look(family: Family): Promise<string> {
    const table = family === 4 ? 'ip' : 'ip6';
    const texts: string[] = [];
    for (const chain of CHAINS) {
      try {
        const listed = await this.#nft.listJson(`list chain ${table} filter ${chain}`);
        texts.push(
          JSON.stringify(listed, (key, value: unknown) => (VOLATILE.has(key) ? undefined : value)),
        );
      } catch (error) {
        // No such chain: a host without Docker, or whose iptables is not the nftables one.
        if (!isFault(error, 'invalid')) throw error;
        texts.push('');
      }
    }
    return texts.join('\n');
  }
}

const VOLATILE = new Set(['packets', 'bytes', 'handle', 'metainfo']);
