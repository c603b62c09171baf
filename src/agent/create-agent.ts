import { Fault, orAbort } from '../base/index.js';
import type { SyncListener, Syncer } from '../datastore/index.js';
import type {
  Address,
  LocalEndpoint,
  PortBinding,
  Profile,
  PublishedPort,
} from '../model/index.js';
import type { KernelEvent } from '../netlink/index.js';
import { clusterPrefixes } from './cluster-view.js';
import { concernsInterfaces } from './host-interfaces.js';
import { Loop } from './loop.js';
import { loopParts, newProgress, slowParts } from './loop-parts.js';
import { ExternalAgent } from './external-agent.js';
import { concernsHost } from './host-events.js';
import { createInsight, type Insight } from './insight.js';
import type { Agent, AgentOptions } from './ports.js';
import { ReplacePace } from './replace-pace.js';
import { describeAgent, type AgentStatus, type Decision } from './status.js';
import { tableFamilies } from './table-text.js';
import { wireAgent, type PartName, type Wiring } from './wiring.js';

const COMPARE_EVERY_MS = 90_000;
/** Settings of the host give no event when they change; a few small reads tell. */
const HOST_EVERY_MS = 1000;

/** The agent of one host (architecture §4). Nothing is touched before `start`. */
export function createAgent(options: AgentOptions): Agent {
  const agent = new HostAgent(options);
  if (options.settings.dataplane !== 'external') return agent;
  return new ExternalAgent(options, () => agent.status());
}

class HostAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #stopping = new AbortController();
  readonly #wiring: Wiring;
  readonly #loop: Loop<PartName>;
  readonly #slowLoop: Loop<PartName>;
  readonly #closers: (() => void)[] = [];
  readonly #progress = newProgress();
  readonly #pace: ReplacePace;
  readonly insight: Insight;
  #told: Decision | undefined;
  #phase: 'new' | 'started' | 'stopped' = 'new';

  constructor(options: AgentOptions) {
    this.#options = options;
    const mark = (...parts: readonly PartName[]): void => this.#mark(...parts);
    const signal = this.#stopping.signal;
    const wiring = wireAgent(options, signal, mark);
    const context = { wiring, options, progress: this.#progress, mark };
    const common = { log: options.log, clock: wiring.clock, signal };
    this.#loop = new Loop({ parts: loopParts(context), ...common });
    this.#slowLoop = new Loop({ parts: slowParts(context), ...common });
    this.#wiring = wiring;
    const { policy, table } = wiring;
    const { nft, netlink } = options;
    this.insight = createInsight({ nft, netlink, policy, table: table.name });
    const { clock } = wiring;
    this.#pace = new ReplacePace({ clock, log: options.log, replace: () => this.#replaceTable() });
    this.#closers.push(() => this.#pace.close());
  }

  restore(endpoints: readonly LocalEndpoint[]): void {
    for (const endpoint of endpoints) this.#wiring.programmer.restore(endpoint);
    if (endpoints.length > 0) this.#mark('table', 'compare');
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#phase !== 'new') {
      throw new Fault('internal', 'invariant broken: the agent is started once', {
        reason: 'invariant',
      });
    }
    const { netlink, nft, createSyncer, log } = this.#options;
    signal.addEventListener('abort', () => void this.stop(), { once: true });
    this.#phase = 'started';
    void this.#wiring.guard.survey();
    this.#mark('table', 'host', 'compare', 'forward');
    const kernel = netlink.monitor((event) => this.#onKernel(event));
    const rules = nft.monitor((tables, deaf) => this.#onForeignRules(tables, deaf));
    this.#closers.push(
      () => kernel.close(),
      () => rules.close(),
    );
    const { view, bgp } = this.#wiring;
    bgp?.start();
    const prefixes = [...new Set([...clusterPrefixes, ...(bgp?.view.prefixes ?? [])])];
    const listener = bgp === undefined ? view : tellBoth(view, bgp.view);
    const syncer: Syncer = createSyncer({ prefixes, listener, log });
    this.#closers.push(() => syncer.stop());
    this.#tick('host', HOST_EVERY_MS, 0);
    const every = this.#options.settings.compareEveryMs ?? COMPARE_EVERY_MS;
    this.#tick('compare', every, every / 10);
    const tried = Promise.all([this.#loop.tried('table'), this.#loop.tried('compare')]);
    await orAbort(tried, signal, 'taking over routes and policy');
  }

  async synced(signal: AbortSignal): Promise<void> {
    const work = this.#progress.completed.then(() => this.#loop.idle());
    await orAbort(
      work,
      AbortSignal.any([signal, this.#stopping.signal]),
      'the first synchronization',
    );
  }

  async stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#stopping.abort(new Fault('unavailable', 'the agent is stopping', { reason: 'stopped' }));
    for (const close of this.#closers.splice(0)) close();
    const { bgp, holder } = this.#wiring;
    holder.close();
    await Promise.all([this.#loop.idle(), this.#slowLoop.idle(), bgp?.stop()]);
    await this.#wiring.writer.settled();
  }

  learnProfile(profile: Profile): void {
    // Whoever programs an endpoint next takes it along; if nobody does, the loop does.
    if (this.#wiring.profiles.learn(profile) && this.#wiring.writer.dirty) this.#mark('table');
  }

  prepareAddresses(addresses: readonly Address[]): void {
    this.#wiring.guard.prepare(addresses);
  }

  addressInUse(address: Address): boolean {
    return this.#wiring.routes.hasAddress(address);
  }

  programAhead(endpoint: LocalEndpoint): void {
    this.#wiring.programmer.programAhead(endpoint);
  }

  program(endpoint: LocalEndpoint, signal?: AbortSignal): Promise<void> {
    return this.#wiring.programmer.program(endpoint, signal);
  }

  reservePorts(
    endpointId: string,
    bindings: readonly PortBinding[],
    addresses: readonly Address[],
    signal?: AbortSignal,
  ): Promise<readonly PublishedPort[]> {
    return this.#wiring.holder.reserve(endpointId, bindings, addresses, signal);
  }

  releasePorts(endpointId: string): void {
    this.#wiring.published.release(endpointId);
  }

  withdraw(endpointId: string): Promise<void> {
    this.#progress.adopted.delete(endpointId);
    return this.#wiring.programmer.withdraw(endpointId);
  }

  workloadMtu(): number | undefined {
    return this.#wiring.tunnels.workloadMtu;
  }

  tell(decision: Decision | undefined): void {
    this.#told = decision;
  }

  status(): AgentStatus {
    const parts = { ...this.#loop.status(), ...this.#slowLoop.status() };
    const status = describeAgent(this.#wiring, parts, this.#progress, this.#phase);
    const told = this.#told === undefined ? [] : [this.#told];
    return { ...status, decisions: [...told, ...status.decisions] };
  }

  #onKernel(event: KernelEvent): void {
    const { routes, tunnels, remoteRoutes } = this.#wiring;
    const need = routes.onEvent(event);
    if (need !== false) this.#mark(need === 'compare' ? 'compare' : 'repair');
    if (tunnels.onEvent(event)) this.#mark('tunnels');
    if (remoteRoutes.onEvent(event)) this.#mark('remote');
    const hosts = this.#wiring.policy.hostEndpoints.count > 0;
    if (hosts && concernsInterfaces(event)) this.#mark('interfaces');
    if (concernsHost(event)) this.#options.onHostChange?.();
  }

  #mark(...parts: readonly PartName[]): void {
    if (this.#phase !== 'started') return;
    for (const part of parts) (part === 'flows' ? this.#slowLoop : this.#loop).mark(part);
  }

  /** Another program changed rules; undefined when any table may be touched. */
  #onForeignRules(tables: ReadonlySet<string> | undefined, deaf = false): void {
    if (tables === undefined) {
      this.#wiring.writer.doubt();
      if (!deaf) this.#progress.resolveListening();
      this.#mark('compare', 'forward');
    }
    const { name } = this.#wiring.table;
    const isOurs = tableFamilies.some((family) => tables?.has(`${family} ${name}`) === true);
    if (isOurs) this.#pace.onChange();
    const firewalls = ['ip filter', 'ip6 filter', 'inet firewalld'];
    if (firewalls.some((table) => tables?.has(table) === true)) this.#mark('forward');
  }

  /** Not behind whatever the loop is at: until this is in the kernel the host may be open. */
  #replaceTable(): void {
    const { writer } = this.#wiring;
    writer.replaceWhole();
    writer.flush().catch(() => this.#mark('table'));
  }

  #tick(part: PartName, everyMs: number, jitterMs: number): void {
    let timer: NodeJS.Timeout;
    const next = (): void => {
      timer = setTimeout(
        () => {
          if (part === 'compare') this.#progress.forceForward = true;
          this.#mark(part, ...(part === 'compare' ? (['forward'] as const) : []));
          next();
        },
        everyMs + (Math.random() - 0.5) * 2 * jitterMs,
      );
      timer.unref();
    };
    next();
    this.#closers.push(() => clearTimeout(timer));
  }
}

/** One watch for two listeners. */
function tellBoth(first: SyncListener, second: SyncListener): SyncListener {
  return {
    onSnapshot: (all) => {
      first.onSnapshot(all);
      second.onSnapshot(all);
    },
    onChange: (key, entry) => {
      first.onChange(key, entry);
      second.onChange(key, entry);
    },
  };
}
