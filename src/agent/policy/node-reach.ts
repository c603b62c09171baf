import { families, type Address } from '../../model/index.js';
import type { RuleSink } from './ports.js';
import { nodeSet } from './rule-names.js';

/** The addresses of all hosts of the cluster, in the table while rules name them. */
export class NodeReach {
  readonly #sink: RuleSink;
  readonly #all: boolean;
  #addresses: readonly Address[] = [];
  #tunnels = false;

  /** @param hostReach `all`: every host reaches the containers */
  constructor(sink: RuleSink, hostReach: 'own' | 'all') {
    this.#sink = sink;
    this.#all = hostReach === 'all';
  }

  /** Those that reach all containers, as text. */
  get trusted(): ReadonlySet<string> {
    return new Set(this.#all ? this.#addresses.map(String) : []);
  }

  setAddresses(addresses: readonly Address[]): void {
    this.#addresses = addresses;
    this.#fill();
  }

  /** Whether host endpoints let the hosts' tunnels pass. */
  setTunnels(tunnels: boolean): void {
    this.#tunnels = tunnels;
    this.#fill();
  }

  #fill(): void {
    const named = this.#all || this.#tunnels;
    for (const family of families) {
      const own = named ? this.#addresses.filter((one) => one.family === family) : [];
      this.#sink.replaceElements(nodeSet(family), [...new Set(own.map(String))].sort());
    }
  }
}
