import { families, type Address } from '../../model/index.js';
import type { RuleSink } from './ports.js';
import { sourceSet } from './rule-names.js';

interface Member {
  readonly interfaceName: string;
  readonly addresses: readonly Address[];
}

/**
 * Which source addresses each interface may send from: all addresses of its sandbox, because a
 * container with two networks may answer through either (architecture §3, "Two networks on one
 * container"). Looked up in a set, so that strict and loose reverse-path filters make no difference.
 */
export class SourceGuard {
  readonly #sink: RuleSink;
  readonly #sandboxes = new Map<string, Map<string, Member>>();
  readonly #sandboxOf = new Map<string, string>();
  /** Two endpoints of one interface or address give the same pair. */
  readonly #pairs = new Map<string, number>();

  constructor(sink: RuleSink) {
    this.#sink = sink;
  }

  add(id: string, local: Member & { readonly sandboxKey: string }): void {
    const key = local.sandboxKey === '' ? `endpoint ${id}` : `sandbox ${local.sandboxKey}`;
    const sandbox = this.#sandboxes.get(key) ?? new Map<string, Member>();
    this.#eachPair(local, sandbox.values(), (set, pair) => {
      const count = this.#pairs.get(pair) ?? 0;
      this.#pairs.set(pair, count + 1);
      if (count === 0) this.#sink.addElement(set, pair);
    });
    sandbox.set(id, local);
    this.#sandboxes.set(key, sandbox);
    this.#sandboxOf.set(id, key);
  }

  remove(id: string): void {
    const key = this.#sandboxOf.get(id) ?? '';
    const sandbox = this.#sandboxes.get(key);
    const local = sandbox?.get(id);
    if (sandbox === undefined || local === undefined) return;
    this.#sandboxOf.delete(id);
    sandbox.delete(id);
    if (sandbox.size === 0) this.#sandboxes.delete(key);
    this.#eachPair(local, sandbox.values(), (set, pair) => {
      const count = (this.#pairs.get(pair) ?? 1) - 1;
      if (count > 0) this.#pairs.set(pair, count);
      else {
        this.#pairs.delete(pair);
        this.#sink.removeElement(set, pair);
      }
    });
  }

  #eachPair(
    local: Member,
    others: Iterable<Member>,
    visit: (set: string, pair: string) => void,
  ): void {
    const sets = Object.fromEntries(families.map((family) => [family, sourceSet(family)]));
    const pair = (member: Member, address: Address): void =>
      visit(sets[address.family] ?? '', `"${member.interfaceName}" . ${address}`);
    for (const address of local.addresses) pair(local, address);
    for (const other of others) {
      for (const address of other.addresses) pair(local, address);
      for (const address of local.addresses) pair(other, address);
    }
  }
}
