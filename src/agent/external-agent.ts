import { deadline, Fault, isFault, orAbort } from '../base/index.js';
import type { Syncer } from '../datastore/index.js';
import { families, type Address, type LocalEndpoint, type PortBinding } from '../model/index.js';
import type { KernelEvent, Route } from '../netlink/index.js';
import { ClusterView, clusterPrefixes, type ClusterListener } from './cluster-view.js';
import { concernsHost } from './host-events.js';
import type { Agent, AgentOptions } from './ports.js';
import type { AgentStatus, Decision } from './status.js';
import { ownChains } from './own-chains.js';
import { tableFamilies } from './table-text.js';
import { wireAgent, type Wiring } from './wiring.js';

/** How long Join waits for the other agent; a container then starts all the same. */
const PROGRAMMED_MS = 2_000;

interface Known {
  readonly endpoint: LocalEndpoint;
  readonly late: boolean;
}

/**
 * In place of the agent where Felix runs: routes, policy, tunnels and NAT are its. Nothing but the removal of our
 * own table is written to the kernel here; Join waits until Felix has set the endpoint's routes, which it does after its policy.
 */
export class ExternalAgent implements Agent {
  readonly insight = undefined;
  readonly #options: AgentOptions;
  readonly #describe: () => AgentStatus;
  readonly #wiring: Wiring;
  readonly #known = new Map<string, Known>();
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<(event: KernelEvent) => void>();
  readonly #closers: (() => void)[] = [];
  #syncer: Syncer | undefined;
  #found: Decision | undefined;

  /** `describe` gives the status of an agent that does nothing. */
  constructor(options: AgentOptions, describe: () => AgentStatus) {
    this.#options = options;
    this.#describe = describe;
    this.#wiring = wireAgent(options, this.#stopping.signal, () => undefined);
  }

  restore(endpoints: readonly LocalEndpoint[]): void {
    for (const endpoint of endpoints) this.#known.set(endpoint.id, { endpoint, late: false });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { netlink, createSyncer, log } = this.#options;
    await this.#removeTable();
    signal.addEventListener('abort', () => void this.stop(), { once: true });
    const monitor = netlink.monitor((event) => {
      for (const listener of this.#listeners) listener(event);
      if (concernsHost(event)) this.#options.onHostChange?.();
    });
    this.#closers.push(() => monitor.close());
    const { remote, tunnels } = this.#wiring;
    const nothing = (): void => undefined;
    // Pools, Nodes and settings alone: they say which MTU new endpoints need.
    const listener: ClusterListener = {
      ...{ onProfile: nothing, onEndpoint: nothing, onNodes: nothing, onAffinity: nothing },
      ...{ onPolicy: nothing, onTier: nothing, onHostEndpoint: nothing, onNetworkSet: nothing },
      onPools: (pools) => remote.onPools(pools.values()),
      onNode: remote.onNode.bind(remote),
      onFelix: remote.onFelix.bind(remote),
      onInSync: () => void this.#look(),
    };
    const view = new ClusterView(listener, log);
    this.#syncer = createSyncer({ prefixes: clusterPrefixes, listener: view, log });
    this.#closers.push(() => this.#syncer?.stop());
    this.#listeners.add((event) => void (tunnels.onEvent(event) && this.#look()));
    log.info('routes, tunnels, policy and NAT are left to the Felix of this host');
  }

  async synced(signal: AbortSignal): Promise<void> {
    await this.#syncer?.ready(signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Fault('unavailable', 'the agent is stopping', { reason: 'stopped' }));
    for (const close of this.#closers.splice(0)) close();
  }

  learnProfile(): void {
    // Felix reads it from the datastore.
  }

  programAhead(): void {
    // Felix reads it from the datastore.
  }

  prepareAddresses(): void {
    // Felix removes connections of former users.
  }

  addressInUse(address: Address): boolean {
    return [...this.#known.values()].some(({ endpoint }) =>
      endpoint.addresses.some((each) => each.equals(address)),
    );
  }

  async program(endpoint: LocalEndpoint, signal?: AbortSignal): Promise<void> {
    this.#known.set(endpoint.id, { endpoint, late: true });
    const bound = deadline(PROGRAMMED_MS, signal, this.#stopping.signal);
    try {
      await this.#routed(endpoint, bound);
      this.#known.set(endpoint.id, { endpoint, late: false });
    } catch (error) {
      if (!isFault(error, 'timeout') || signal?.aborted === true) throw error;
      this.#options.log.warn(
        { endpoint: endpoint.id.slice(0, 12), interface: endpoint.interfaceName },
        'Felix has not set the routes of an endpoint within 2 s; the container starts all the same',
      );
    }
  }

  async reservePorts(id: string, bindings: readonly PortBinding[]): Promise<readonly []> {
    this.#options.log.warn(
      { EndpointID: id, ports: bindings.length, reason: 'ports-not-published' },
      'published ports are not forwarded beside a Felix: reach the container at its own address',
    );
    return [];
  }

  releasePorts(): void {
    // None is ever held.
  }

  async withdraw(endpointId: string): Promise<void> {
    this.#known.delete(endpointId);
  }

  workloadMtu(): number | undefined {
    return this.#wiring.tunnels.workloadMtu;
  }

  status(): AgentStatus {
    const late = [...this.#known].flatMap(([id, known]): Decision[] =>
      known.late
        ? [{ reason: 'felix-late', subject: id, details: 'Felix had not set its routes at Join' }]
        : [],
    );
    const found = this.#found === undefined ? [] : [this.#found];
    const state = this.#syncer?.inSync === true ? 'in-sync' : 'waiting-for-store';
    return { ...this.#describe(), state, dataplane: 'external', decisions: [...found, ...late] };
  }

  /** What the composition found out about the other agent. */
  tell(decision: Decision | undefined): void {
    this.#found = decision;
  }

  /** Of an earlier run without Felix: nobody would keep it, and it would go on judging. */
  async #removeTable(): Promise<void> {
    const { nft, log } = this.#options;
    const { name } = this.#wiring.table;
    const found = [];
    for (const family of tableFamilies) {
      if ((await ownChains(nft, family, name)).size > 0) found.push(family);
    }
    if (found.length === 0) return;
    await nft.apply(found.map((family) => `delete table ${family} ${name}\n`).join(''));
    log.info({ table: name }, 'removed our own rules of an earlier run: policy is left to Felix');
  }

  /** Which interfaces there are: for the MTU. */
  async #look(): Promise<void> {
    try {
      await this.#wiring.tunnels.survey();
    } catch (error) {
      if (!this.#stopping.signal.aborted)
        this.#options.log.warn({ err: error }, 'the MTU of this host is not known');
    }
  }

  /** Settles when every address of the endpoint is routed to its interface. */
  async #routed(endpoint: LocalEndpoint, signal: AbortSignal): Promise<void> {
    const missing = new Set(endpoint.addresses.map(String));
    let wake = (): void => undefined;
    const done = new Promise<void>((resolve) => (wake = resolve));
    const see = (route: Route): void => {
      if (route.interfaceIndex !== endpoint.interfaceIndex || !route.destination.isHost) return;
      missing.delete(String(route.destination.base));
      if (missing.size === 0) wake();
    };
    const listener = (event: KernelEvent): void => {
      if (event.type === 'route' && !event.removed) see(event.route);
    };
    this.#listeners.add(listener);
    try {
      for (const family of families) {
        for (const route of await this.#options.netlink.routes(family)) see(route);
      }
      await orAbort(done, signal, 'waiting for Felix');
    } finally {
      this.#listeners.delete(listener);
    }
  }
}
