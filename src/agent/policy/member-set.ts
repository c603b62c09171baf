import { createHash } from 'node:crypto';
import {
  Cidr,
  families,
  type Address,
  type Family,
  type NamedPort,
  type Selector,
} from '../../model/index.js';
import type { RuleSink } from './ports.js';
import { PORT_PROTOCOLS, protocolNumber } from './protocols.js';
import { commentText } from './rule-names.js';

/** A set that rules name: the addresses of whom a selector matches or, with `port`, where those listen. */
export interface MemberSet {
  readonly id: string;
  readonly selector: Selector;
  readonly port?: { readonly name: string; readonly protocol: number };
}

/** What one item gives to the sets that select it. */
export interface Contribution {
  readonly addresses: readonly Address[];
  readonly nets?: readonly Cidr[];
  readonly ports?: readonly NamedPort[];
}

/** The addresses of whom a selector matches. */
export function addressSet(selector: Selector): MemberSet {
  return { id: selector.id.slice(2), selector };
}

/** Address, protocol and port of each endpoint that a selector matches and that has a port of this name. */
export function namedPortSet(selector: Selector, name: string, protocol: number): MemberSet {
  const text = JSON.stringify([selector.id, name, protocol]);
  const id = createHash('sha256').update(text).digest('hex').slice(0, 32);
  return { id, selector, port: { name, protocol } };
}

/** The kernel's sets of one `MemberSet`, one per family, kept as items come and go. */
export class KernelSets {
  readonly #set: MemberSet;
  readonly #parts: Readonly<Record<Family, FamilySet>>;

  constructor(sink: RuleSink, set: MemberSet) {
    this.#set = set;
    const { port, selector } = set;
    const comment = commentText(
      port === undefined
        ? selector.text
        : `${port.name}/${PORT_PROTOCOLS[port.protocol]} of ${selector.text}`,
    );
    const ports = port !== undefined;
    this.#parts = {
      4: new FamilySet({ sink, family: 4, id: set.id, ports, comment }),
      6: new FamilySet({ sink, family: 6, id: set.id, ports, comment }),
    };
  }

  /** Of single members, and of networks while there are any: a member is in one of them. */
  names(family: Family): readonly KernelSet[] {
    return this.#parts[family].names;
  }

  join(item: Contribution): void {
    for (const { family, element, net } of this.#elements(item)) {
      if (net === undefined) this.#parts[family].add(element);
      else this.#parts[family].addNet(net);
    }
  }

  leave(item: Contribution): void {
    for (const { family, element, net } of this.#elements(item)) {
      if (net === undefined) this.#parts[family].remove(element);
      else this.#parts[family].removeNet(net);
    }
  }

  /** Networks may have come or gone: puts them in order. True when there are other names now. */
  settle(): boolean {
    return families.map((family) => this.#parts[family].settle()).includes(true);
  }

  drop(): void {
    for (const family of families) this.#parts[family].drop();
  }

  *#elements({ addresses, nets = [], ports = [] }: Contribution): Generator<Element> {
    const { port } = this.#set;
    if (port !== undefined) {
      for (const one of ports) {
        if (one.name !== port.name || protocolNumber(one.protocol) !== port.protocol) continue;
        for (const address of addresses) {
          const element = `${address} . ${PORT_PROTOCOLS[port.protocol]} . ${one.port}`;
          yield { family: address.family, element };
        }
      }
      return;
    }
    for (const address of addresses) yield { family: address.family, element: String(address) };
    for (const net of nets) {
      if (net.isHost) yield { family: net.family, element: String(net.base) };
      else yield { family: net.family, element: '', net };
    }
  }
}

interface Element {
  readonly family: Family;
  readonly element: string;
  readonly net?: Cidr;
}

interface FamilySetOptions {
  readonly sink: RuleSink;
  readonly family: Family;
  readonly id: string;
  readonly ports: boolean;
  readonly comment: string;
}

/** A set of the kernel, and how a rule looks into it. */
export interface KernelSet {
  readonly name: string;
  /** What stands before the expression of the rule's member, such as `meta nfproto . `. */
  readonly prefix: string;
}

/**
 * A plain set of intervals is read whole by nft before it takes any change of any set: 0.1 s at
 * 10,000 networks, for each container that starts (measured, nft 1.0.6). A concatenated one is left to
 * the kernel, which takes 0.6 s to fill that, once, but 5 s at 20,000.
 */
const MOST_CONCATENATED = 10_000;

/**
 * Single members in a hash set, and networks, while there are any, in one of intervals beside it:
 * containers that come and go are single members.
 */
class FamilySet {
  readonly #options: FamilySetOptions;
  readonly #name: string;
  /** Two items may give the same member: it leaves with the last one. */
  readonly #hosts = new Map<string, number>();
  readonly #nets = new Map<string, { readonly net: Cidr; count: number }>();
  #stale = false;
  #netSet: KernelSet | undefined;

  constructor(options: FamilySetOptions) {
    this.#options = options;
    const { sink, family, id, ports, comment } = options;
    this.#name = `${ports ? 'n' : 's'}${family}-${id}`;
    const type = `ipv${family}_addr${ports ? ' . inet_proto . inet_service' : ''}`;
    sink.putSet(this.#name, { kind: 'set', type, comment });
  }

  get names(): readonly KernelSet[] {
    const single = { name: this.#name, prefix: '' };
    return this.#netSet === undefined ? [single] : [single, this.#netSet];
  }

  add(element: string): void {
    const count = this.#hosts.get(element) ?? 0;
    this.#hosts.set(element, count + 1);
    if (count === 0) this.#options.sink.addElement(this.#name, element);
  }

  remove(element: string): void {
    const count = this.#hosts.get(element);
    if (count === undefined) return;
    if (count > 1) {
      this.#hosts.set(element, count - 1);
      return;
    }
    this.#hosts.delete(element);
    this.#options.sink.removeElement(this.#name, element);
  }

  addNet(net: Cidr): void {
    const known = this.#nets.get(String(net));
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    this.#nets.set(String(net), { net, count: 1 });
    this.#stale = true;
  }

  removeNet(net: Cidr): void {
    const known = this.#nets.get(String(net));
    if (known === undefined) return;
    known.count -= 1;
    if (known.count > 0) return;
    this.#nets.delete(String(net));
    this.#stale = true;
  }

  settle(): boolean {
    if (!this.#stale) return false;
    this.#stale = false;
    const { sink, family, id, comment } = this.#options;
    const before = this.#netSet?.name;
    this.#netSet = undefined;
    if (this.#nets.size > 0) {
      const concatenated = this.#nets.size <= MOST_CONCATENATED;
      const name = `${concatenated ? 'i' : 'l'}${family}-${id}`;
      const address = `ipv${family}_addr`;
      const type = concatenated ? `nf_proto . ${address}` : address;
      sink.putSet(name, { kind: 'set', type, interval: true, comment });
      const nets = halves(withoutContained([...this.#nets.values()].map(({ net }) => net)));
      const element = concatenated ? `ipv${family} . ` : '';
      sink.replaceElements(
        name,
        nets.map((net) => `${element}${net}`),
      );
      this.#netSet = { name, prefix: concatenated ? 'meta nfproto . ' : '' };
    }
    const after = this.#netSet?.name;
    if (before !== undefined && before !== after) sink.dropSet(before);
    return before !== after;
  }

  drop(): void {
    for (const { name } of this.names) this.#options.sink.dropSet(name);
  }
}

/** nft refuses overlapping members of one set. In order, each once, none inside another. */
export function withoutContained(cidrs: readonly Cidr[]): Cidr[] {
  const sorted = [...cidrs].sort((left, right) => left.compare(right));
  const kept: Cidr[] = [];
  for (const cidr of sorted) {
    if (kept.at(-1)?.containsCidr(cidr) !== true) kept.push(cidr);
  }
  return kept;
}

/** Everything as two halves, since older kernels' sets take no prefix of length 0. */
function halves(cidrs: readonly Cidr[]): Cidr[] {
  return cidrs.flatMap((cidr) => {
    if (cidr.prefix > 0) return [cidr];
    const low = Cidr.of(cidr.base, 1);
    return [low, Cidr.of(low.last.plus(1), 1)];
  });
}
