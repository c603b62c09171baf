import { families, type Family, type PublishedPort } from '../../model/index.js';
import type { RuleSink } from './ports.js';
import { ACCEPT_MARK } from './rule-names.js';

/** Ports of containers to which a port of the host leads. */
const openSet = (family: Family): string => `open${family}`;

/**
 * First in the chain of an automatic profile: what came by a published port passes there (node-agent §4.3). Who publishes
 * a port wants it reached; who wrote policies or the profile has said by whom. Told by the translation: the container's
 * own address is as closed as before.
 */
export const OPEN_PORTS: readonly string[] = families.map((family) => {
  const ip = family === 4 ? 'ip' : 'ip6';
  const mark = `0x${ACCEPT_MARK.toString(16)}`;
  return `ct status dnat ${ip} daddr . meta l4proto . th dport @${openSet(family)} counter meta mark set meta mark | ${mark} return comment "published port"`;
});

/** The sets that `OPEN_PORTS` name, empty. */
export function putOpenSets(sink: RuleSink): void {
  for (const family of families) {
    const type = `ipv${family}_addr . inet_proto . inet_service`;
    sink.putSet(openSet(family), { kind: 'set', type });
  }
}

/** Keeps the sets of them. */
export class OpenPorts {
  readonly #sink: RuleSink;
  readonly #byEndpoint = new Map<string, readonly (readonly [string, string])[]>();
  /** Several ports of the host may lead to one of a container. */
  readonly #users = new Map<string, number>();

  constructor(sink: RuleSink) {
    this.#sink = sink;
    putOpenSets(sink);
  }

  add(id: string, ports: readonly PublishedPort[]): void {
    if (ports.length === 0) return;
    const elements = ports.map(({ protocol, address, port }) => {
      const set = openSet(address.includes(':') ? 6 : 4);
      return [set, `${address} . ${protocol} . ${port}`] as const;
    });
    this.#byEndpoint.set(id, elements);
    for (const [set, key] of elements) {
      const users = (this.#users.get(key) ?? 0) + 1;
      this.#users.set(key, users);
      if (users === 1) this.#sink.addElement(set, key);
    }
  }

  remove(id: string): void {
    for (const [set, key] of this.#byEndpoint.get(id) ?? []) {
      const users = (this.#users.get(key) ?? 1) - 1;
      if (users > 0) {
        this.#users.set(key, users);
        continue;
      }
      this.#users.delete(key);
      this.#sink.removeElement(set, key);
    }
    this.#byEndpoint.delete(id);
  }
}
