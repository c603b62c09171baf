import { isFault, messageOf } from '../base/index.js';
import { resourcePrefix, retryOnConflict } from '../datastore/index.js';
import {
  hostInterfaceName,
  workloadEndpointName,
  type Address,
  type LocalEndpoint,
} from '../model/index.js';
import { decodeWorkloadEndpoint } from '../model/v3/index.js';
import { boundEndpoint, buryStray, type BoundEndpoint } from './bound-endpoint.js';
import { claimAgain, completeFiles, type ClaimReport, type LoadOptions } from './claim-again.js';
import { endpointConflict, isReplaced, withdraw, type EndpointsContext } from './context.js';
import { localEndpoint } from './endpoint-book.js';
import {
  nameLearnt,
  shareGround,
  updateMetadata,
  type EndpointChange,
} from './endpoint-changes.js';
import { unpublishPorts } from './publish.js';
import { commitOrSettle } from './settle.js';

/** Leave, DeleteEndpoint and everything that happens to endpoints outside CreateEndpoint and Join. */
export class Endpoints {
  readonly context: EndpointsContext;

  constructor(context: EndpointsContext) {
    this.context = context;
  }

  /**
   * Reads this host's endpoints at the start of the daemon; those with an interface go to the agent. What running
   * containers use and the store lacks is put back.
   */
  async load(
    options: LoadOptions,
  ): Promise<{ readonly endpoints: readonly LocalEndpoint[]; readonly report: ClaimReport }> {
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
    await completeFiles(this.context, options);
    const report = await claimAgain(this.context, indexes, options);
    this.#lookAtStrays(indexes);
    const endpoints = book.all().filter(({ interfaceIndex }) => interfaceIndex > 0);
    return { endpoints: endpoints.map(localEndpoint), report };
  }

  /** Pairs of this boot without an endpoint: of a start that was cut off, or of an object that somebody deleted. */
  #lookAtStrays(indexes: ReadonlyMap<string, number>): void {
    const { book, log } = this.context;
    for (const stray of book.unknown((id) => indexes.get(hostInterfaceName(id)) ?? 0)) {
      if (stray.joined && stray.interfaceIndex > 0) {
        log.warn(
          { EndpointID: stray.id, addresses: stray.addresses },
          'a container runs on an endpoint that the datastore does not have',
        );
        book.keepStray(stray);
      } else {
        buryStray(this.context, stray);
      }
    }
  }

  /**
   * Takes the interface down and frees its ports and its gateway; success for an unknown endpoint. The call that gives up
   * the ports may not have come, or without a body: the container's next gateway may be told of them before this one goes.
   */
  async leave(endpointId: string): Promise<void> {
    try {
      await unpublishPorts(this.context, endpointId);
    } finally {
      await this.#leave(endpointId);
    }
  }

  async #leave(endpointId: string): Promise<void> {
    const { book, veths } = this.context;
    const record = book.get(endpointId);
    if (record === undefined) return;
    if (record.interfaceIndex > 0) await veths.down(record.interfaceIndex);
    const still = book.get(endpointId);
    if (still === undefined || isReplaced(this.context, record)) return;
    const left = { ...still, sandboxKey: '', slot: 0, subnets: [], routed: [] };
    // Not on file: the deletion that follows removes it, and until then the next start may take it for joined.
    book.put(left);
    if (record.sandboxKey !== '') await shareGround(this.context, record.sandboxKey);
  }

  /**
   * Policy goes at once, the pair is marked, then one commit. Carries on past a failure of one step; throws
   * when the store could not be told. Waits for the creation of the same endpoint, which would come after it.
   */
  async delete(endpointId: string, signal: AbortSignal): Promise<void> {
    const { creations } = this.context;
    await creations.ended(endpointId, [], signal);
    await creations.run(endpointId, [], () => this.#delete(endpointId));
  }

  async #delete(endpointId: string): Promise<void> {
    const { book, veths } = this.context;
    const stray = book.stray(endpointId);
    if (stray !== undefined) buryStray(this.context, stray);
    const record = book.get(endpointId);
    if (record === undefined) return;
    book.put({ ...record, going: true });
    const withdrawing = withdraw(this.context, endpointId);
    if (record.interfaceIndex > 0) veths.bury(record.endpoint.interfaceName, record.interfaceIndex);
    const deleting = this.deleteStored(record.key, record.revision);
    // Both, whatever becomes of one of them: the address may be given to another only after that.
    await Promise.allSettled([withdrawing, deleting]);
    await deleting;
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
      if (!result.committed) throw endpointConflict(result.current);
    });
  }

  /** The endpoint that the store still binds to an address, for the allocator. */
  holding(address: Address): BoundEndpoint | undefined {
    return boundEndpoint(this.context, address);
  }

  isBound(address: Address): boolean {
    const { book } = this.context;
    return book.holding(address) !== undefined || book.strayWith(address) !== undefined;
  }

  /** What the inventory learnt about the container. */
  update(endpointId: string, change: EndpointChange): Promise<void> {
    return updateMetadata(this.context, endpointId, change);
  }

  /** What the inventory learnt about the network. */
  named(networkId: string, name: string): Promise<void> {
    return nameLearnt(this.context, networkId, name);
  }
}
