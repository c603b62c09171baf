import { families, type Family, type PublishedPort } from '../../model/index.js';
import type { RuleSink } from './ports.js';

/** Ports of containers to which a port of the host leads. */
const openSet = (family: Family): string => `open${family}`;

/**
 * What came by a published port passes where no policy decided (node-agent §4.3): who publishes a port wants it reached,
 * and who wrote policies has said by whom. Told by the translation: the container's own address is as closed as before.
 */
export const OPEN_PORTS: readonly string[] = families.map((family) => {
  const ip = family === 4 ? 'ip' : 'ip6';
  return `ct status dnat ${ip} daddr . meta l4proto . th dport @${openSet(family)}`;
});

/** Keeps the sets of them. */
export class OpenPorts {
  readonly #sink: RuleSink;
  readonly #byEndpoint = new Map<string, readonly (readonly [string, string])[]>();
  /** Several ports of the host may lead to one of a container. */
  readonly #users = new Map<string, number>();

  constructor(sink: RuleSink) {
    this.#sink = sink;
    for (const family of families) {
      const type = `ipv${family}_addr . inet_proto . inet_service`;
      sink.putSet(openSet(family), { kind: 'set', type });
    }
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
