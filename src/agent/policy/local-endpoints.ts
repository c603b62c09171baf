import { isDeepStrictEqual } from 'node:util';
import type { Address, PublishedPort } from '../../model/index.js';
import type { AppliedPolicies } from './applied-policies.js';
import { askedList, type AskedList } from './asked-chains.js';
import type { ListChains } from './list-chains.js';
import { OpenPorts } from './open-ports.js';
import type { KeptChains, RuleOrder, Wanted } from './rule-order.js';
import type { RuleSink } from './ports.js';
import { directions, FROM_WORKLOAD, TO_WORKLOAD, WAITING, type Direction } from './rule-names.js';
import { ownLabels } from './scoped-selector.js';
import { SourceGuard } from './source-guard.js';

/** An endpoint whose interface is on this host. */
export interface LocalPolicy {
  readonly interfaceName: string;
  /** The container end's, lower case; empty when not known. */
  readonly mac: string;
  readonly addresses: readonly Address[];
  readonly profiles: readonly string[];
  /** What selectors of policies see, but for those that the profiles add. */
  readonly labels: Readonly<Record<string, string>>;
  /** Endpoints of one sandbox may use each other's addresses; empty when not known. */
  readonly sandboxKey: string;
  /** Ports of the host lead to these of it. */
  readonly published?: readonly PublishedPort[];
}

interface Local extends LocalPolicy {
  /** Chains that its packets go to; those of lists, unless it waits. */
  readonly ingress: string;
  readonly egress: string;
}

/** The containers of this host: each interface is sent to the chains of its lists. */
export class LocalEndpoints {
  readonly #sink: RuleSink;
  readonly #lists: ListChains;
  readonly #applied: AppliedPolicies;
  readonly #sources: SourceGuard;
  readonly #open: OpenPorts;
  readonly #locals = new Map<string, Local>();
  readonly #ownerOf = new Map<string, string>();
  /** The newest of an address. */
  readonly #idByAddress = new Map<string, string>();
  #waiting: boolean;

  /** @param waits until `begin` none is reachable */
  constructor(sink: RuleSink, lists: ListChains, applied: AppliedPolicies, waits: boolean) {
    this.#sink = sink;
    this.#lists = lists;
    this.#applied = applied;
    this.#sources = new SourceGuard(sink);
    this.#open = new OpenPorts(sink);
    this.#waiting = waits;
  }

  get count(): number {
    return this.#locals.size;
  }

  get waiting(): boolean {
    return this.#waiting;
  }

  /** The one that has the address. */
  at(address: Address): { readonly id: string; readonly local: LocalPolicy } | undefined {
    const id = this.#idByAddress.get(String(address));
    const local = id === undefined ? undefined : this.#locals.get(id);
    return id === undefined || local === undefined ? undefined : { id, local };
  }

  /** The chains that packets of one meet; undefined when it is not of this host. */
  asked(id: string): readonly AskedList[] | undefined {
    const local = this.#locals.get(id);
    if (local === undefined) return undefined;
    return directions.map((direction) => {
      const place = { direction, stage: 'normal', chain: local[direction] } as const;
      return askedList(place, this.#orderOf(id, local.profiles, direction));
    });
  }

  /** Each goes to its lists; those of an earlier life that say the same keep their names. */
  begin(kept: KeptChains = () => undefined): void {
    this.#waiting = false;
    for (const [id, local] of this.#locals) {
      const [ingress = WAITING, egress = WAITING] = directions.map((direction) => {
        const order = this.#orderOf(id, local.profiles, direction);
        return this.#lists.useKept(direction, order, id, kept(direction, local.interfaceName));
      });
      const next = { ...local, ingress, egress };
      this.#locals.set(id, next);
      this.#dispatch(id, next);
    }
  }

  /** One appeared, changed, or (undefined) went. True when one that stays has other lists now. */
  set(id: string, next: LocalPolicy | undefined): boolean {
    const previous = this.#locals.get(id);
    // The store tells each endpoint that the driver has told already.
    if (previous !== undefined && next !== undefined && isSame(previous, next)) return false;
    const labelled = next && { labels: ownLabels(next.labels), profiles: next.profiles };
    this.#applied.setEndpoint(id, labelled);
    const local = next && { ...next, ...this.#useLists(id, next.profiles, previous) };
    if (previous !== undefined) {
      this.#locals.delete(id);
      this.#sources.remove(id);
      this.#open.remove(id);
      this.#undispatch(id, previous.interfaceName);
      for (const direction of directions) {
        if (local?.[direction] !== previous[direction])
          this.#lists.release(previous[direction], id);
      }
      for (const address of previous.addresses) {
        if (this.#idByAddress.get(String(address)) === id)
          this.#idByAddress.delete(String(address));
      }
    }
    if (local === undefined) return false;
    this.#locals.set(id, local);
    for (const address of local.addresses) this.#idByAddress.set(String(address), id);
    this.#sources.add(id, local);
    this.#open.add(id, local.published ?? []);
    this.#ownerOf.set(local.interfaceName, id);
    this.#dispatch(id, local);
    return previous !== undefined && !sameLists(previous, local);
  }

  /** The lists of these may be others now; IDs of others are ignored. */
  renew(ids: Iterable<string>): void {
    if (this.#waiting) return;
    const known = [...ids].filter((id) => this.#locals.has(id));
    for (const direction of directions) {
      this.#follow(direction, this.#lists.move(direction, this.#wanted(known, direction)));
    }
  }

  *#wanted(ids: readonly string[], direction: Direction): Generator<Wanted> {
    for (const user of ids) {
      const local = this.#locals.get(user);
      if (local === undefined) continue;
      const order = this.#orderOf(user, local.profiles, direction);
      yield { user, chain: local[direction], order };
    }
  }

  /** Removes the lists that nobody has used since `limit`. */
  tidy(limit: number): void {
    this.#lists.tidy(limit, (direction, moved) => this.#follow(direction, moved));
  }

  #follow(direction: Direction, moved: ReadonlyMap<string, string>): void {
    for (const [id, chain] of moved) {
      const local = this.#locals.get(id);
      if (local === undefined) continue;
      const next = { ...local, [direction]: chain };
      this.#locals.set(id, next);
      this.#dispatch(id, next);
    }
  }

  #useLists(
    id: string,
    profiles: readonly string[],
    previous: Local | undefined,
  ): Pick<Local, Direction> {
    if (this.#waiting) return { ingress: WAITING, egress: WAITING };
    const use = (direction: Direction): string =>
      this.#lists.use(direction, this.#orderOf(id, profiles, direction), id, previous?.[direction]);
    return { ingress: use('ingress'), egress: use('egress') };
  }

  #orderOf(id: string, profiles: readonly string[], direction: Direction): RuleOrder {
    return { tiers: this.#applied.tiers(id, direction), profiles };
  }

  #dispatch(id: string, { interfaceName, ingress, egress }: Local): void {
    if (this.#ownerOf.get(interfaceName) !== id) return;
    this.#sink.addElement(FROM_WORKLOAD, `"${interfaceName}"`, `goto ${egress}`);
    this.#sink.addElement(TO_WORKLOAD, `"${interfaceName}"`, `goto ${ingress}`);
  }

  /** An interface name that a newer endpoint has taken over stays with that one. */
  #undispatch(id: string, interfaceName: string): void {
    if (this.#ownerOf.get(interfaceName) !== id) return;
    this.#ownerOf.delete(interfaceName);
    for (const map of [FROM_WORKLOAD, TO_WORKLOAD]) {
      this.#sink.removeElement(map, `"${interfaceName}"`);
    }
  }
}

/** Read from the elements of the table's maps. */
export function chainsOf(elements: ReadonlyMap<string, ReadonlyMap<string, string>>): KeptChains {
  return (direction, interfaceName) => {
    const map = elements.get(direction === 'ingress' ? TO_WORKLOAD : FROM_WORKLOAD);
    return map?.get(`"${interfaceName}"`)?.replace(/^goto /, '');
  };
}

function isSame(left: LocalPolicy, right: LocalPolicy): boolean {
  const names = Object.keys(left.labels);
  return (
    left.interfaceName === right.interfaceName &&
    left.mac === right.mac &&
    left.sandboxKey === right.sandboxKey &&
    sameTexts(left.addresses.map(String), right.addresses.map(String)) &&
    sameTexts(left.profiles, right.profiles) &&
    isDeepStrictEqual(left.published ?? [], right.published ?? []) &&
    names.length === Object.keys(right.labels).length &&
    names.every((name) => left.labels[name] === right.labels[name])
  );
}

function sameTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, at) => text === right[at]);
}

function sameLists(left: Local, right: Local): boolean {
  return left.ingress === right.ingress && left.egress === right.egress;
}
