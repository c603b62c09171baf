import type { Clock } from '../base/index.js';
import { ORCHESTRATOR, type LocalEndpoint, type WorkloadEndpoint } from '../model/index.js';
import { NAMESPACE_LABEL, ORCHESTRATOR_LABEL } from '../model/v3/index.js';
import type { EndpointFacts, LocalPolicy } from './policy/index.js';

interface Stored {
  readonly key: string;
  readonly endpoint: WorkloadEndpoint;
  /** Told after the driver's last word on it. */
  newer: boolean;
}

/** How long a withdrawn endpoint is remembered when the store never tells of its end. */
const WITHDRAWN_MS = 600_000;

/**
 * This host's endpoints from their two sources: the driver, which knows them first and knows whether
 * they live, and the store, where users change labels and profiles. Of those two the source that
 * spoke last is right. An endpoint that the driver withdrew is gone at once, though the store may
 * tell of it for a while; one that vanished from the store while it lives stays.
 */
export class EndpointBook {
  readonly #clock: Clock;
  readonly #locals = new Map<string, LocalEndpoint>();
  readonly #stored = new Map<string, Stored>();
  readonly #idByKey = new Map<string, string>();
  readonly #withdrawn = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  local(id: string): LocalEndpoint | undefined {
    return this.#locals.get(id);
  }

  add(endpoint: LocalEndpoint): void {
    this.#withdrawn.delete(endpoint.id);
    this.#locals.set(endpoint.id, endpoint);
    const stored = this.#stored.get(endpoint.id);
    if (stored !== undefined) stored.newer = false;
  }

  withdraw(id: string): void {
    this.#locals.delete(id);
    this.#withdrawn.set(id, this.#clock.monotonic());
  }

  /** What the store tells of an endpoint of this host; the ID it goes by here. */
  setStored(key: string, endpoint: WorkloadEndpoint | undefined): string | undefined {
    if (endpoint !== undefined) {
      const id = idOf(key, endpoint);
      this.#idByKey.set(key, id);
      this.#stored.set(id, { key, endpoint, newer: true });
      return id;
    }
    const id = this.#idByKey.get(key);
    if (id === undefined) return undefined;
    this.#idByKey.delete(key);
    if (this.#stored.get(id)?.key === key) {
      this.#stored.delete(id);
      this.#withdrawn.delete(id);
    }
    return id;
  }

  /** What selectors see of it; undefined when it is gone. */
  facts(id: string): EndpointFacts | undefined {
    if (this.#withdrawn.has(id)) return undefined;
    const stored = this.#stored.get(id);
    const local = this.#locals.get(id);
    if (local === undefined) return stored === undefined ? undefined : factsOf(stored.endpoint);
    const { addresses } = local;
    if (stored?.newer === true) return { ...factsOf(stored.endpoint), addresses };
    const ports = stored?.endpoint.ports ?? [];
    return { labels: labelsOf(local), profiles: local.profiles, addresses, ports };
  }

  /** How its packets are judged; undefined when it does not live here. */
  policy(id: string): LocalPolicy | undefined {
    const local = this.#locals.get(id);
    if (local === undefined) return undefined;
    const { interfaceName, mac, addresses, sandboxKey, published = [] } = local;
    const stored = this.#stored.get(id);
    const { profiles, labels } =
      stored?.newer === true
        ? stored.endpoint
        : { profiles: local.profiles, labels: labelsOf(local) };
    return {
      ...{ interfaceName, mac: checkedMac(mac), addresses, sandboxKey },
      ...{ profiles, labels, published },
    };
  }

  /** Endpoints that the store says are here and that no driver told of or withdrew. */
  unclaimed(): (readonly [string, WorkloadEndpoint])[] {
    return [...this.#stored]
      .filter(([id]) => !this.#locals.has(id) && !this.#withdrawn.has(id))
      .map(([id, { endpoint }]) => [id, endpoint]);
  }

  tidy(): void {
    const limit = this.#clock.monotonic() - WITHDRAWN_MS;
    for (const [id, since] of this.#withdrawn) {
      if (since < limit && !this.#stored.has(id)) this.#withdrawn.delete(id);
    }
  }
}

/** As nft reads it; whoever wrote another endpoint may have put anything there. */
function checkedMac(mac: string): string {
  const text = mac.toLowerCase();
  return /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(text) ? text : '';
}

/** Docker's EndpointID is unique; other orchestrators call every endpoint `eth0`. */
function idOf(key: string, endpoint: WorkloadEndpoint): string {
  return endpoint.orchestrator === ORCHESTRATOR ? endpoint.endpoint : key;
}

function factsOf(endpoint: WorkloadEndpoint): EndpointFacts {
  const { labels, profiles, addresses, ports } = endpoint;
  return { labels, profiles, addresses, ports };
}

/** Its labels with those that Calico forces, as the stored object will have them. */
function labelsOf(local: LocalEndpoint): Record<string, string> {
  return {
    ...local.labels,
    [NAMESPACE_LABEL]: local.namespace,
    [ORCHESTRATOR_LABEL]: ORCHESTRATOR,
  };
}
