import type { Address, EncapsulationInUse, FailsafePort, HostEndpoint } from '../../model/index.js';
import type { AppliedPolicies } from './applied-policies.js';
import { encapsulatedChain, toHostChain, workloadChains } from './base-chains.js';
import { defaultFailsafePorts, failsafeChains } from './failsafe.js';
import {
  dispatchChains,
  hostBaseChains,
  hostGates,
  hostMap,
  hostOnlyChains,
  type HostGate,
} from './host-base.js';
import type { AskedList } from './asked-chains.js';
import { askedByHost, buildHost, noChains, type BuiltHost } from './host-chains.js';
import type { Chain, RuleSink } from './ports.js';
import { resolveHosts, type HostInterface } from './resolve-hosts.js';
import type { RuleChains } from './rule-chains.js';
import { ENCAPSULATED, TO_HOST } from './rule-names.js';
import type { TierChains } from './tier-chains.js';

/** What of the configuration concerns the host itself; what is absent is Calico's default for Docker hosts. */
export interface HostSettings {
  readonly failsafeInbound?: readonly FailsafePort[];
  readonly failsafeOutbound?: readonly FailsafePort[];
  /**
   * What becomes of that which a container's policy lets out to its own host; `Return`, the default:
   * the host's own firewall decides.
   */
  readonly endpointToHost?: 'Drop' | 'Accept' | 'Return';
}

/** What decides about traffic of this host at one of its interfaces. */
export interface HostAt {
  readonly host: HostInterface;
  readonly endpoints: readonly HostEndpoint[];
  /** Among all endpoints that policies are matched with. */
  readonly keys: readonly string[];
  readonly settings: HostSettings;
  readonly encapsulation: EncapsulationInUse;
}

export interface HostParts {
  readonly sink: RuleSink;
  readonly rules: RuleChains;
  readonly tiers: TierChains;
  readonly applied: AppliedPolicies;
  readonly now: () => number;
}

/**
 * The host endpoints of this host. They are few: after any change all of their chains are worked out
 * anew, and the sink sees what differs. Without one nothing of this is in the table.
 */
export class HostEndpoints {
  readonly #parts: HostParts;
  readonly #endpoints = new Map<string, HostEndpoint>();
  #interfaces: readonly HostInterface[] = [];
  #settings: HostSettings = {};
  #encapsulation: EncapsulationInUse = { ipip: false };
  #unused: readonly string[] = [];
  #built: readonly BuiltHost[] = [];
  readonly #elements = new Map<HostGate, ReadonlyMap<string, string>>();

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#putBase();
  }

  get count(): number {
    return this.#endpoints.size;
  }

  /** Host endpoints of no effect. */
  get unused(): readonly string[] {
    return this.#unused;
  }

  /** What a second opinion on traffic of this host needs: the interface with the address, and all that decides there. */
  at(address: Address): HostAt | undefined {
    if (this.count === 0) return undefined;
    const host = this.#interfaces.find(
      ({ name, addresses }) => name !== 'lo' && addresses.some((one) => one.equals(address)),
    );
    if (host === undefined) return undefined;
    const endpoints = [...this.#endpoints];
    return {
      ...{ host, endpoints: endpoints.map(([, endpoint]) => endpoint) },
      ...{ keys: endpoints.map(([id]) => keyOf(id)) },
      ...{ settings: this.#settings, encapsulation: this.#encapsulation },
    };
  }

  /** The chains of one of this host; undefined when it has none. */
  asked(id: string): readonly AskedList[] | undefined {
    const endpoint = this.#endpoints.get(id);
    const built = this.#built.find((one) => one.id === id);
    if (endpoint === undefined || built === undefined) return undefined;
    return askedByHost(this.#parts.applied, { id, key: keyOf(id), endpoint }, built.chains);
  }

  /** One of this host appeared, changed, or (undefined) went. */
  set(id: string, endpoint: HostEndpoint | undefined): void {
    if (endpoint === undefined && !this.#endpoints.has(id)) return;
    if (endpoint === undefined) this.#endpoints.delete(id);
    else this.#endpoints.set(id, endpoint);
    this.#parts.applied.setEndpoint(keyOf(id), endpoint);
    this.#putBase();
    this.#rebuild();
  }

  setInterfaces(interfaces: readonly HostInterface[]): void {
    this.#interfaces = interfaces;
    if (this.count > 0) this.#rebuild();
  }

  setSettings(settings: HostSettings): void {
    this.#settings = settings;
    this.#putBase();
  }

  setEncapsulation(encapsulation: EncapsulationInUse): void {
    this.#encapsulation = encapsulation;
    this.#parts.sink.putChain(ENCAPSULATED, encapsulatedChain(encapsulation.vxlanPort));
    this.#putBase();
  }

  /** The lists of these may be others now; keys of others are ignored. */
  renew(keys: Iterable<string>): void {
    const own = new Set([...this.#endpoints.keys()].map(keyOf));
    for (const key of keys) if (own.has(key)) return this.#rebuild();
  }

  /** Chains that are there without any host endpoint, or for any. */
  #putBase(): void {
    const { sink } = this.#parts;
    const { failsafeInbound, failsafeOutbound, endpointToHost = 'Return' } = this.#settings;
    sink.putChain(TO_HOST, toHostChain(endpointToHost));
    const failsafe = failsafeChains({
      inbound: failsafeInbound ?? defaultFailsafePorts.inbound,
      outbound: failsafeOutbound ?? defaultFailsafePorts.outbound,
    });
    if (this.count === 0) {
      putChains(sink, workloadChains);
      for (const name of [...hostOnlyChains, ...Object.keys(failsafe)]) sink.dropChain(name);
      for (const gate of hostGates) sink.dropSet(hostMap(gate));
      this.#elements.clear();
      return;
    }
    for (const gate of hostGates) {
      sink.putSet(hostMap(gate), { kind: 'map', type: 'ifname : verdict' });
    }
    putChains(sink, failsafe);
    putChains(sink, hostBaseChains(this.#encapsulation));
  }

  #rebuild(): void {
    const { interfaces, wildcard, unused } = resolveHosts(this.#endpoints, this.#interfaces);
    this.#unused = unused;
    const built = new Map<string, BuiltHost>();
    const everywhere = wildcard === undefined ? [] : [wildcard];
    for (const id of new Set([...interfaces.values(), ...everywhere])) {
      const endpoint = this.#endpoints.get(id);
      if (endpoint === undefined) continue;
      built.set(id, buildHost(this.#parts, { id, key: keyOf(id), endpoint }));
    }
    if (this.count > 0) {
      putChains(this.#parts.sink, dispatchChains(built.get(wildcard ?? '')?.chains ?? noChains));
      for (const gate of hostGates) {
        const elements = [...interfaces].flatMap(([name, id]): [string, string][] => {
          const chain = built.get(id)?.chains[gate];
          return chain === undefined ? [] : [[`"${name}"`, `goto ${chain}`]];
        });
        this.#fill(gate, new Map(elements));
      }
    }
    this.#replaceBuilt([...built.values()]);
  }

  #fill(gate: HostGate, elements: ReadonlyMap<string, string>): void {
    const { sink } = this.#parts;
    const before = this.#elements.get(gate) ?? new Map<string, string>();
    for (const key of before.keys()) {
      if (!elements.has(key)) sink.removeElement(hostMap(gate), key);
    }
    for (const [key, value] of elements) sink.addElement(hostMap(gate), key, value);
    this.#elements.set(gate, elements);
  }

  /** What is new is in use before what was is not: chains that stay never go for a moment. */
  #replaceBuilt(built: readonly BuiltHost[]): void {
    const { sink, rules, tiers, now } = this.#parts;
    const chains = new Set(built.flatMap((one) => Object.values(one.chains)));
    for (const one of this.#built) {
      for (const chain of Object.values(one.chains)) if (!chains.has(chain)) sink.dropChain(chain);
      for (const chain of one.rules) rules.release(chain, now());
      for (const chain of one.tiers) tiers.release(chain, now());
    }
    this.#built = built;
  }
}

/** Among all endpoints that policies are matched with. */
const keyOf = (id: string): string => `host ${id}`;

function putChains(sink: RuleSink, chains: Readonly<Record<string, Chain>>): void {
  for (const [name, chain] of Object.entries(chains)) sink.putChain(name, chain);
}
