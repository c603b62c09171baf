import {
  within,
  Fault,
  messageOf,
  orAbort,
  sleep,
  toFault,
  type Clock,
  type Log,
} from '../base/index.js';
import type { Address, LocalEndpoint } from '../model/index.js';
import type { AddressGuard } from './address-guard.js';
import type { EndpointBook } from './endpoint-book.js';
import type { PublishedPorts } from './nat/index.js';
import type { Netlink } from '../netlink/index.js';
import type { Policy } from './policy/index.js';
import { cutPortFlows } from './port-flows.js';
import type { AgentMeter } from './ports.js';
import type { RouteKeeper } from './routes/index.js';
import type { TableWriter } from './table-writer.js';

/** Bound of one call when its caller gives none. */
const PROGRAM_MS = 15_000;
/**
 * After a start policies are known within milliseconds, or the store does not answer. Then endpoints
 * are made, and shut until it does.
 */
const POLICIES_MS = 1_000;

export interface ProgrammerOptions {
  readonly book: EndpointBook;
  readonly policy: Policy;
  readonly routes: RouteKeeper;
  readonly published: PublishedPorts;
  readonly guard: AddressGuard;
  readonly writer: TableWriter;
  readonly netlink: Netlink;
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
  readonly meter?: AgentMeter | undefined;
  /** The kernel may be short of something: look again in the background. */
  readonly markDirty: () => void;
  /** Addresses became a local endpoint's, or are none's any more. */
  readonly onAddresses: (addresses: readonly Address[]) => void;
}

/** Endpoints of the local driver, straight into the kernel: they do not wait for the loop. */
export class LocalProgrammer {
  readonly #options: ProgrammerOptions;
  /** Endpoints whose policy was programmed ahead, and nothing else of them. */
  readonly #ahead = new Set<string>();

  constructor(options: ProgrammerOptions) {
    this.#options = options;
  }

  /** Known, but nothing is written: it lived here before this process. */
  restore(endpoint: LocalEndpoint): void {
    checkEndpoint(endpoint);
    this.#options.guard.keep(endpoint.addresses);
    this.#want(endpoint);
  }

  /**
   * See `Agent.programAhead`. Rules name interfaces, which need not exist; routes wait for `program`, which is still the
   * first use of the addresses.
   */
  programAhead(endpoint: LocalEndpoint): void {
    const { book, policy, writer, markDirty } = this.#options;
    if (policy.waiting || book.local(endpoint.id) !== undefined) return;
    // Whether the one that has an address gives way is not decided yet.
    if (endpoint.addresses.some((address) => policy.facts.isLocal(address))) return;
    checkEndpoint(endpoint);
    this.#ahead.add(endpoint.id);
    book.add(endpoint);
    this.refresh(endpoint.id);
    writer.flush().catch(markDirty);
  }

  /** See `Agent.program`. What it had begun is undone when it fails and the endpoint was new. */
  async program(endpoint: LocalEndpoint, signal?: AbortSignal): Promise<void> {
    const { book, policy, routes, guard, writer, clock, stopping, meter } = this.#options;
    checkEndpoint(endpoint);
    const begun = clock.monotonic();
    const known = this.#ahead.delete(endpoint.id) ? undefined : book.local(endpoint.id);
    const own = new Set(known?.addresses.map(String));
    const fresh = endpoint.addresses.filter((address) => !own.has(String(address)));
    // Its former owner's connections go before the route does.
    guard.release(this.#want(endpoint));
    try {
      routes.prepare(endpoint.id);
      await within(PROGRAM_MS, [signal, stopping], async (bound) => {
        if (policy.waiting) await this.#policiesKnown(bound);
        const routed = guard.ready(fresh, bound).then(() => routes.program(endpoint.id));
        await orAbort(Promise.all([writer.flush(), routed]), bound, 'programming the endpoint');
        const flows = cutPortFlows(this.#options, known?.published ?? [], endpoint.published ?? []);
        await orAbort(flows, bound, 'ending connections of published ports');
      });
    } catch (error) {
      this.#options.markDirty();
      if (known === undefined) await this.#undo(endpoint.id, error);
      throw toFault(error);
    }
    meter?.programmed((clock.monotonic() - begun) / 1000);
  }

  /** See `Agent.withdraw`. Every step is taken, whatever another one came to. */
  async withdraw(id: string): Promise<void> {
    const { book, policy, routes, published, guard, writer, markDirty, onAddresses } =
      this.#options;
    const endpoint = routes.forget(id);
    this.#ahead.delete(id);
    book.withdraw(id);
    published.remove(id);
    policy.setLocal(id, undefined);
    policy.setEndpoint(id, undefined);
    if (endpoint === undefined) {
      if (writer.dirty) markDirty();
      return;
    }
    const work = Promise.allSettled([writer.flush(), routes.withdraw(endpoint)]);
    void work.then(() => onAddresses(endpoint.addresses));
    guard.release(endpoint.addresses, work);
    const failures = (await work).flatMap((one) =>
      one.status === 'rejected' ? [toFault(one.reason)] : [],
    );
    if (failures.length === 0) return;
    markDirty();
    const [first] = failures;
    throw new Fault(
      first?.kind ?? 'internal',
      `endpoint ${id.slice(0, 12)} is not wholly withdrawn: ${failures.map(messageOf).join('; ')}`,
      { cause: first },
    );
  }

  /** The store tells other labels or profiles of an endpoint of this host. */
  refresh(id: string): void {
    const { book, policy } = this.#options;
    policy.setEndpoint(id, book.facts(id));
    const wanted = book.policy(id);
    if (wanted !== undefined) policy.setLocal(id, wanted);
  }

  #want(endpoint: LocalEndpoint): readonly Address[] {
    const { book, routes, published, onAddresses } = this.#options;
    book.add(endpoint);
    published.set(endpoint.id, endpoint.published ?? []);
    this.refresh(endpoint.id);
    const moved = routes.add(endpoint.id, endpoint);
    onAddresses(endpoint.addresses);
    return moved;
  }

  async #policiesKnown(signal: AbortSignal): Promise<void> {
    const known = new AbortController();
    const pause = sleep(POLICIES_MS, AbortSignal.any([signal, known.signal]));
    await Promise.race([this.#options.policy.begun, pause.catch(() => undefined)]);
    known.abort();
  }

  async #undo(id: string, cause: unknown): Promise<void> {
    try {
      await this.withdraw(id);
    } catch (error) {
      this.#options.log.warn(
        { endpoint: id, cause: messageOf(cause), reason: messageOf(error) },
        'an endpoint that could not be programmed is not wholly withdrawn; tried again',
      );
    }
  }
}

/** Host ends have such names, and only they match the base chains; the name goes into nft's text. */
export function isWorkloadInterface(name: string): boolean {
  return /^cali[A-Za-z0-9_-]{1,11}$/.test(name);
}

function checkEndpoint(endpoint: LocalEndpoint): void {
  if (isWorkloadInterface(endpoint.interfaceName)) return;
  throw new Fault(
    'invalid',
    `endpoint ${endpoint.id.slice(0, 12)} has interface ${JSON.stringify(endpoint.interfaceName)}: a name that begins with cali, of at most 15 letters and digits, is needed`,
    { reason: 'bad-interface' },
  );
}
