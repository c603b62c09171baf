import { createAgent, type Agent } from '../src/agent/index.js';
import { silentLog } from '../src/base/index.js';
import { createSyncer, resourceKey } from '../src/datastore/index.js';
import { Address, type LocalEndpoint } from '../src/model/index.js';
import { createKernelNetlink, type Netlink } from '../src/netlink/index.js';
import { createNft, type Nft } from '../src/nft/index.js';
import { localEndpoint, profile } from '../test/fixtures/agent-facts.js';
import {
  attach,
  clusterStore,
  NODE,
  putEndpoint,
  putProfile,
  type Container,
} from '../test/fixtures/agent-host.js';
import type { MemoryStore } from '../test/fixtures/memory-store.js';
import { putStored } from '../test/fixtures/policy-world.js';
import { until } from '../test/fixtures/until.js';
import { median } from './statistics.js';

const PINGS = 200;
const LINEAR_RULES = 5_000;
const [CLIENT, SERVER] = ['10.20.255.1', '10.20.255.2'] as const;
const ROLES = ['web', 'db'] as const;

/** What can be measured; milliseconds each. */
export type Measure =
  /** A rule of a policy of half the endpoints changes. */
  | 'rule'
  /** A policy that selects all endpoints comes, or goes. */
  | 'cover'
  /** The selector of a policy changes from one half of the endpoints to the other. */
  | 'selector'
  /** An endpoint of another host becomes one that a rule names, or no more. */
  | 'label'
  /** A container starts: from `program` until its policy and routes are in the kernel. */
  | 'start'
  /** Round trip between two containers; with `linear` through a table of one rule per interface besides. */
  | 'ping'
  | 'ping-linear';

export interface Measured {
  readonly ms: number;
  /** Of this process, over all threads; on a busy machine the steadier figure. */
  readonly cpuMs: number;
}

/** An agent on the kernel of this process' namespace, fed by a store in memory. */
export class BenchHost {
  readonly #store: MemoryStore;
  readonly #agent: Agent;
  readonly #netlink: Netlink;
  readonly #nft: Nft;
  readonly #undo: (() => unknown)[];
  #client: Container | undefined;
  #extra: LocalEndpoint | undefined;
  #written: () => void = () => undefined;
  #count = 0;
  #covered = false;
  readonly #turns = { half: 0, far: 1 };

  private constructor(store: MemoryStore, agent: Agent, netlink: Netlink, nft: Nft) {
    this.#store = store;
    this.#agent = agent;
    this.#netlink = netlink;
    this.#nft = nft;
    this.#undo = [() => agent.stop(), () => nft.close(), () => netlink.close()];
  }

  /** All endpoints but two have no interface: their rules are there, and no packets. */
  static async start(endpoints: number): Promise<BenchHost> {
    const store = clusterStore({ '10.20.0.0/16': {} }, []);
    putProfile(store, profile('open', [{ action: 'Allow' }], [{ action: 'Allow' }]));
    const crowd = Array.from({ length: Math.max(0, endpoints - 2) }, (_, at) => crowdMember(at));
    for (const one of crowd) putEndpoint(store, { ...one, endpoint: one.id, profiles: ['open'] });
    const netlink = createKernelNetlink({ log: silentLog });
    const nft = await createNft({ log: silentLog });
    let written = (): void => undefined;
    const agent = createAgent({
      settings: { nodeName: NODE, iptables: false },
      netlink,
      nft: telling(nft, () => written()),
      createSyncer: (parts) => createSyncer({ store, ...parts }),
      log: silentLog,
    });
    const host = new BenchHost(store, agent, netlink, nft);
    written = () => host.#written();
    agent.restore(crowd);
    await agent.start(new AbortController().signal);
    await agent.synced(AbortSignal.timeout(60_000));
    await host.#attachContainers();
    return host;
  }

  /** Waits for quiet, then measures. */
  async measure(what: string): Promise<Measured> {
    await this.#quiet();
    this.#count += 1;
    const before = process.cpuUsage();
    const ms = await this.#measure(what);
    const { user, system } = process.cpuUsage(before);
    return { ms, cpuMs: (user + system) / 1000 };
  }

  async #measure(what: string): Promise<number> {
    switch (what as Measure) {
      case 'rule':
        return this.#edit(() => this.#putPolicy('half', "role == 'web'", 1000 + this.#count));
      case 'selector':
        return this.#edit(() => this.#putPolicy('half', `role == '${this.#turn('half')}'`, 999));
      case 'cover':
        return this.#edit(() => this.#coverOrNot());
      case 'label':
        return this.#edit(() => this.#putFar(this.#turn('far')));
      case 'start':
        return this.#start();
      case 'ping':
        return this.#ping();
      case 'ping-linear':
        return this.#linear(() => this.#ping());
      default:
        throw new Error(`nothing is called ${what}`);
    }
  }

  async stop(): Promise<void> {
    for (const undo of this.#undo) await undo();
  }

  async #attachContainers(): Promise<void> {
    const teardown = { teardown: (undo: () => unknown) => this.#undo.unshift(undo) };
    const running = { agent: this.#agent, netlink: this.#netlink, nft: this.#nft };
    const parts = { ...running, writes: [], reads: [], stop: async () => undefined };
    const container = (id: string, address: string): Promise<Container> =>
      attach(teardown, parts, this.#store, { id, network: 'open', addresses: [address] });
    this.#client = await container('client', CLIENT);
    await container('server', SERVER);
    const { hostIndex } = await this.#netlink.createVeth({
      host: { name: 'caliextra', mac: 'ee:ee:ee:ee:ee:ee' },
      peer: { name: 'tempextra' },
      mtu: 1500,
    });
    const more = { profiles: ['open'], labels: { role: 'web' } };
    this.#extra = localEndpoint('extra', 'caliextra', hostIndex, ['10.20.255.3'], more);
    this.#putPolicy('half', "role == 'web'", 999);
    this.#putFar('nobody');
    await this.#quiet();
  }

  /** Nothing to be done, and the connections are held against the newest policy. */
  async #quiet(): Promise<void> {
    const { agent } = this;
    await until(() => agent.status().state === 'in-sync', 'the kernel', 60_000);
  }

  get agent(): Agent {
    return this.#agent;
  }

  /** The one and the other by turns: what is put is never what is there. */
  #turn(of: 'half' | 'far'): string {
    this.#turns[of] += 1;
    return ROLES[this.#turns[of] % 2] ?? '';
  }

  /** From the change in the store until nft has taken what follows from it. */
  async #edit(change: () => void): Promise<number> {
    const done = new Promise<void>((resolve) => (this.#written = resolve));
    const begin = performance.now();
    change();
    await done;
    return performance.now() - begin;
  }

  async #start(): Promise<number> {
    if (this.#extra === undefined) throw new Error('no endpoint to start');
    const begin = performance.now();
    await this.#agent.program(this.#extra);
    const took = performance.now() - begin;
    await this.#agent.withdraw(this.#extra.id);
    return took;
  }

  #ping(): number {
    const counted = ['-n', '-c', String(PINGS), '-i', '0.002', SERVER];
    const printed = this.#client?.namespace.run('ping', ...counted) ?? '';
    const times = [...printed.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time));
    if (times.length < PINGS / 2) throw new Error('pings were lost');
    return median(times);
  }

  /** One rule per interface, as rules without maps would be; none is a container's. */
  async #linear(work: () => number): Promise<number> {
    const rules = Array.from({ length: LINEAR_RULES }, (_, at) => `iifname "calix${at}" jump own`);
    const hook = 'type filter hook forward priority -20; policy accept;';
    const forward = `chain forward {\n${hook}\n${rules.join('\n')}\n}`;
    await this.#nft.apply(`table inet linear {\nchain own {\n}\n${forward}\n}\n`);
    try {
      return work();
    } finally {
      await this.#nft.apply('delete table inet linear\n');
    }
  }

  #putPolicy(name: string, selector: string, port: number): void {
    const source = { selector: "role == 'far'" };
    const ingress = [
      { action: 'Allow', protocol: 'TCP', source, destination: { ports: [port] } },
      { action: 'Allow' },
    ];
    const spec = { selector, types: ['Ingress'], ingress };
    putStored(this.#store, { kind: 'GlobalNetworkPolicy', name, spec });
  }

  #coverOrNot(): void {
    this.#covered = !this.#covered;
    if (this.#covered) this.#putPolicy('cover', 'all()', 998);
    else this.#store.delete(resourceKey('globalnetworkpolicies', 'cover'));
  }

  #putFar(turn: string): void {
    const addresses = [Address.parse('10.30.0.1')];
    const labels = { role: turn === ROLES[0] ? 'far' : 'stranger' };
    putEndpoint(this.#store, { endpoint: 'far', node: 'node2', addresses, labels });
  }
}

function crowdMember(at: number): LocalEndpoint {
  const labels = { role: ROLES[at % 2] ?? '' };
  const address = `10.20.${at >> 8}.${at & 255}`;
  return localEndpoint(`x${at}`, `calix${at}`, 1_000_000 + at, [address], {
    ...{ profiles: ['open'], labels },
  });
}

/** The same nft, which also tells when it has taken a transaction. */
function telling(nft: Nft, onWritten: () => void): Nft {
  return new Proxy(nft, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'apply') return (value as () => unknown).bind(target);
      return async (commands: string) => {
        await target.apply(commands);
        onWritten();
      };
    },
  });
}
