import { Fault, isFault, messageOf, sleep, type Clock, type Log } from '../base/index.js';
import {
  ConflictFault,
  resourcePrefix,
  retryOnConflict,
  type CallOptions,
  type Entry,
  type Store,
} from '../datastore/index.js';
import {
  peerInterfaceName,
  profileName,
  workloadEndpointName,
  type Address,
  type LocalEndpoint,
} from '../model/index.js';
import {
  decodeResource,
  decodeWorkloadEndpoint,
  encodeResource,
  encodeWorkloadEndpoint,
} from '../model/v3/index.js';
import type { Netlink } from '../netlink/index.js';
import { localEndpoint, type EndpointBook, type EndpointRecord } from './endpoint-book.js';
import type { Networks } from './networks.js';
import type { AddressLeases, EndpointProgrammer, NetworkNames, PoolRequests } from './ports.js';
import { automaticProfile, type ProfileBook } from './profile-book.js';
import { commitOrSettle } from './settle.js';
import type { Veths } from './veth.js';
import type { WriteQueue } from './write-queue.js';

export interface EndpointSettings {
  /** Calico namespace of the endpoints. */
  readonly namespace: string;
  /** Name of the interface in the container, before its number. */
  readonly interfacePrefix: string;
  /** 0: 1500. */
  readonly vethMtu: number;
}

/** Everything that the calls of an endpoint share. */
export interface EndpointsContext {
  readonly store: Store;
  readonly node: string;
  readonly hostUuid: string;
  readonly settings: EndpointSettings;
  readonly networks: Networks;
  readonly book: EndpointBook;
  readonly profiles: ProfileBook;
  readonly writes: WriteQueue;
  readonly veths: Veths;
  readonly netlink: Netlink;
  readonly programmer: EndpointProgrammer;
  readonly names: NetworkNames;
  readonly leases: AddressLeases;
  readonly pools: PoolRequests;
  readonly clock: Clock;
  readonly log: Log;
  conflict(what: string, current: ReadonlyMap<string, Entry | undefined>): Fault;
  /** An endpoint that gave way: its record and interface go. */
  discard(record: EndpointRecord): void;
  /** Brings the profiles of one container's endpoints in line with the networks that it is on now. */
  shareGround(sandboxKey: string, signal?: AbortSignal): Promise<void>;
}

export type EndpointsDependencies = Omit<EndpointsContext, 'conflict' | 'discard' | 'shareGround'>;

/** What the inventory learnt about an endpoint's container; other labels and annotations stay. */
export interface EndpointChange {
  readonly containerId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** How long a container's interface may take to vanish after its death. */
const GOING_MS = 1_000;
const GOING_STEP_MS = 50;

/** Leave, DeleteEndpoint and everything that happens to endpoints outside CreateEndpoint and Join. */
export class Endpoints {
  readonly context: EndpointsContext;

  constructor(dependencies: EndpointsDependencies) {
    this.context = {
      ...dependencies,
      conflict: (what, current) =>
        new ConflictFault(`${what} was changed by somebody else meanwhile`, current),
      discard: (record) => this.#discard(record),
      shareGround: (sandboxKey, signal) => this.#shareGround(sandboxKey, signal),
    };
  }

  /** Reads this host's endpoints at the start of the daemon; those with an interface go to the agent. */
  async load(options: CallOptions): Promise<readonly LocalEndpoint[]> {
    const { store, node, settings, book, netlink, log } = this.context;
    const prefix = `${resourcePrefix('workloadendpoints', settings.namespace)}${workloadEndpointName(node, '')}`;
    const [{ entries }, links] = await Promise.all([store.list(prefix, options), netlink.links()]);
    const indexes = new Map(links.map(({ name, index }) => [name, index]));
    for (const { key, value, revision } of entries) {
      try {
        const endpoint = decodeWorkloadEndpoint(value);
        if (endpoint.node !== node) continue;
        const interfaceIndex = indexes.get(endpoint.interfaceName) ?? 0;
        book.restore({
          id: endpoint.endpoint,
          endpoint,
          key,
          revision,
          text: value,
          interfaceIndex,
        });
      } catch (error) {
        if (!isFault(error, 'corrupt')) throw error;
        log.error({ key, error: messageOf(error) }, 'endpoint ignored');
      }
    }
    book.forgetOthers();
    return book
      .all()
      .filter(({ interfaceIndex }) => interfaceIndex > 0)
      .map(localEndpoint);
  }

  /** Takes the interface down and frees its gateway; success for an unknown endpoint. */
  async leave(endpointId: string): Promise<void> {
    const { book, veths } = this.context;
    const record = book.get(endpointId);
    if (record === undefined) return;
    if (record.interfaceIndex > 0) await veths.down(record.interfaceIndex);
    const left = { ...record, sandboxKey: '', slot: 0, subnets: [], routed: [] };
    book.put(left);
    book.persist(left);
    if (record.sandboxKey !== '') await this.#shareGround(record.sandboxKey);
  }

  /**
   * Networks on one pool cannot be told apart by route: what a container sends to a member of its second
   * network leaves with the address of its first. So on such interfaces it is a member of all of them: the
   * kernel knows at once, the store by a commit that nobody waits for.
   */
  async #shareGround(sandboxKey: string, signal?: AbortSignal): Promise<void> {
    const { book, programmer, log } = this.context;
    const members = book.inSandbox(sandboxKey);
    for (const member of members) {
      const profiles = sharedProfiles(member, members);
      if (profiles.join() === member.endpoint.profiles.join()) continue;
      const next = { ...member, endpoint: { ...member.endpoint, profiles } };
      book.put(next);
      await programmer.program(localEndpoint(next), signal);
      this.#rewrite(member.id, (text) => withProfiles(text, profiles)).catch((error: unknown) => {
        log.warn(
          { EndpointID: member.id, error: messageOf(error) },
          'profiles of the endpoint could not be stored',
        );
      });
    }
  }

  /** Policy goes at once, the pair is marked, then one commit. Throws when the store could not be told. */
  async delete(endpointId: string): Promise<void> {
    const { book, programmer, veths } = this.context;
    const record = book.get(endpointId);
    if (record === undefined) return;
    book.put({ ...record, going: true });
    await programmer.withdraw(endpointId);
    if (record.interfaceIndex > 0) veths.bury(record.endpoint.interfaceName, record.interfaceIndex);
    await this.deleteStored(record.key, record.revision);
    book.remove(endpointId);
  }

  /** Deletes the object whatever its revision is now; absent is success. `revision` undefined: read it first. */
  async deleteStored(key: string, revision: bigint | undefined): Promise<void> {
    const { store, writes } = this.context;
    let known = revision ?? (await store.get(key))?.revision;
    await retryOnConflict(20, async (_attempt, current) => {
      if (current !== undefined) known = current.get(key)?.revision;
      if (known === undefined) return;
      const transaction = {
        compares: [{ key, revision: known }],
        writes: [{ key, value: null }],
        reads: [key],
      };
      const result = await commitOrSettle(store, (part) => writes.commit(part), transaction, key);
      if (!result.committed) throw this.context.conflict('the endpoint', result.current);
    });
  }

  /**
   * A later commit with what was learnt about the container; never touches the address block, and writes
   * nothing when it stands there already. `not-found` for an endpoint that is not here (yet).
   */
  async update(endpointId: string, change: EndpointChange): Promise<void> {
    if (this.context.book.get(endpointId) === undefined) {
      throw new Fault(
        'not-found',
        `endpoint ${endpointId.slice(0, 12)} does not exist on this host`,
        {
          reason: 'unknown-endpoint',
        },
      );
    }
    await this.#rewrite(endpointId, (text) => withMetadata(text, change));
  }

  /** The network's name became known: endpoints with a provisional profile get the real one. */
  async named(networkId: string, name: string): Promise<void> {
    const { book, networks, profiles, store } = this.context;
    const real = profileName(name);
    const waiting = book
      .all()
      .filter((record) => record.networkId === networkId && record.provisional && !record.going);
    if (waiting.length === 0) return;
    const network = await networks.require(networkId, {});
    await profiles.ensure(store, automaticProfile(real, network.internal), this.context.clock);
    for (const { id } of waiting) {
      await this.#rewrite(id, (text) => withProfiles(text, [real]), { provisional: false });
    }
  }

  async #rewrite(
    endpointId: string,
    change: (text: string) => string,
    more: Partial<EndpointRecord> = {},
  ): Promise<void> {
    const { book, writes, store, programmer } = this.context;
    await retryOnConflict(20, async (_attempt, current) => {
      const record = book.get(endpointId);
      if (record === undefined || record.going) return;
      const now = current === undefined ? record : storedNow(record, current);
      if (now === undefined) return;
      const text = change(now.text);
      if (text === now.text) return;
      const { key } = record;
      const transaction = {
        compares: [{ key, revision: now.revision }],
        writes: [{ key, value: text }],
        reads: [key],
      };
      const result = await commitOrSettle(store, (part) => writes.commit(part), transaction, key);
      if (!result.committed) throw this.context.conflict('the endpoint', result.current);
      const latest = book.get(endpointId);
      if (latest === undefined) return;
      const next = {
        ...latest,
        ...more,
        endpoint: decodeWorkloadEndpoint(text),
        text,
        revision: result.revision,
      };
      book.put(next);
      book.persist(next);
      if (next.slot > 0 && !next.going) await programmer.program(localEndpoint(next));
    });
  }

  #discard(record: EndpointRecord): void {
    const { book, veths } = this.context;
    if (record.interfaceIndex > 0) veths.bury(record.endpoint.interfaceName, record.interfaceIndex);
    book.remove(record.id);
  }

  /** The endpoint that the store still binds to an address, for the allocator. */
  holding(address: Address): BoundEndpoint | undefined {
    const record = this.context.book.holding(address);
    if (record === undefined) return undefined;
    const name =
      record.endpoint.containerId === ''
        ? `endpoint ${record.id.slice(0, 12)}`
        : `container ${record.endpoint.containerId.slice(0, 12)}`;
    return {
      endpointId: record.id,
      description: `${name} on node ${record.endpoint.node}`,
      isLive: (signal) => this.#isLive(record, signal),
      evict: async () => {
        await this.context.programmer.withdraw(record.id);
        const latest = this.context.book.get(record.id) ?? record;
        return {
          compares: [{ key: latest.key, revision: latest.revision }],
          writes: [{ key: latest.key, value: null }],
        };
      },
      evicted: () => this.#discard(record),
    };
  }

  /** A dead container's pair vanishes with its namespace, or its inner end is back on the host under its first name. */
  async #isLive(record: EndpointRecord, signal: AbortSignal): Promise<boolean> {
    const { netlink, clock } = this.context;
    if (record.going) return false;
    const until = clock.monotonic() + GOING_MS;
    for (;;) {
      const link = await netlink.linkByName(record.endpoint.interfaceName);
      if (link === undefined || !link.up) return false;
      if (record.slot > 0 && (await netlink.linkByName(peerInterfaceName(record.id))) !== undefined)
        return false;
      if (clock.monotonic() >= until) return true;
      await sleep(GOING_STEP_MS, signal);
    }
  }
}

const UNUSED_IDENTITY = { uid: '', createdAt: new Date(0) };

/** What a failed compare read; undefined when the object is gone. */
function storedNow(
  record: EndpointRecord,
  current: ReadonlyMap<string, Entry | undefined>,
): { readonly text: string; readonly revision: bigint } | undefined {
  const entry = current.get(record.key);
  return entry === undefined ? undefined : { text: entry.value, revision: entry.revision };
}

function withProfiles(text: string, profiles: readonly string[]): string {
  return encodeWorkloadEndpoint(
    { ...decodeWorkloadEndpoint(text), profiles },
    UNUSED_IDENTITY,
    text,
  );
}

/** Its own profile, and those of siblings whose networks have a subnet in common with its own. */
function sharedProfiles(record: EndpointRecord, members: readonly EndpointRecord[]): string[] {
  const siblings = members.filter(
    (other) =>
      other.id !== record.id && other.subnets.some((cidr) => record.subnets.includes(cidr)),
  );
  return [...new Set([record, ...siblings].flatMap(({ endpoint }) => endpoint.profiles[0] ?? []))];
}

function withMetadata(text: string, change: EndpointChange): string {
  const resource = decodeResource(text);
  const { labels = {}, annotations = {} } = resource.metadata;
  const metadata = {
    ...resource.metadata,
    labels: { ...labels, ...change.labels },
    ...(Object.keys(change.annotations).length + Object.keys(annotations).length === 0
      ? {}
      : { annotations: { ...annotations, ...change.annotations } }),
  };
  return encodeResource({
    ...resource,
    metadata,
    spec: { ...resource.spec, containerID: change.containerId },
  });
}

/** Structurally what the allocator asks for. */
export interface BoundEndpoint {
  readonly endpointId: string;
  readonly description: string;
  isLive(signal: AbortSignal): Promise<boolean>;
  evict(): Promise<{
    readonly compares: readonly { readonly key: string; readonly revision: bigint }[];
    readonly writes: readonly { readonly key: string; readonly value: null }[];
  }>;
  evicted(): void;
}
