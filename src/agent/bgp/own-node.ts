import { createHash } from 'node:crypto';
import {
  Address,
  BGP_PORT,
  Cidr,
  DEFAULT_AS_NUMBER,
  type BgpConfiguration,
  type Family,
  type Node,
  type PrefixAdvertisement,
} from '../../model/index.js';

/** The cluster's BGP configuration as it holds for each node (node-agent §2.5). */
export class BgpConfigurations {
  readonly #byName: ReadonlyMap<string, BgpConfiguration>;

  constructor(configurations: Iterable<BgpConfiguration>) {
    this.#byName = new Map([...configurations].map((one) => [one.name, one]));
  }

  get default(): BgpConfiguration | undefined {
    return this.#byName.get('default');
  }

  get mesh(): boolean {
    return this.default?.nodeToNodeMesh ?? true;
  }

  asNumberOf(node: Node): number {
    // Zero is what some writers store for none.
    return node.asNumber || this.default?.asNumber || DEFAULT_AS_NUMBER;
  }

  portOf(node: string): number {
    const port = this.#own(node)?.listenPort ?? this.default?.listenPort ?? BGP_PORT;
    return port <= 65_535 ? port : BGP_PORT;
  }

  logSeverityOf(node: string): string {
    return this.#own(node)?.logSeverity ?? this.default?.logSeverity ?? 'Info';
  }

  bindsToNodeAddress(node: string): boolean {
    return (
      (this.#own(node)?.bindToNodeAddress ?? false) || this.default?.bindToNodeAddress === true
    );
  }

  ignoredInterfacesOf(node: string): readonly string[] {
    const own = this.#own(node)?.ignoredInterfaces ?? [];
    return own.length > 0 ? own : (this.default?.ignoredInterfaces ?? []);
  }

  advertisementsOf(node: string): readonly PrefixAdvertisement[] {
    const own = this.#own(node)?.prefixAdvertisements ?? [];
    return own.length > 0 ? own : (this.default?.prefixAdvertisements ?? []);
  }

  /** The value of a community that is named, or the text itself. */
  communityValue(node: string, text: string): string {
    return this.#own(node)?.communities[text] ?? this.default?.communities[text] ?? text;
  }

  #own(node: string): BgpConfiguration | undefined {
    return this.#byName.get(`node.${node}`);
  }
}

/** Reading addresses is most of the work at a thousand nodes, and Nodes seldom change. */
const addresses = new WeakMap<Node, Readonly<Record<Family, Address | undefined>>>();

/** The node's BGP address; undefined when it has none, or none that can be read. */
export function bgpAddress(node: Node, family: Family): Address | undefined {
  let known = addresses.get(node);
  if (known === undefined) {
    known = { 4: readAddress(node, 4), 6: readAddress(node, 6) };
    addresses.set(node, known);
  }
  return known[family];
}

function readAddress(node: Node, family: Family): Address | undefined {
  const text = family === 4 ? node.ipv4Address : node.ipv6Address;
  if (text === undefined) return undefined;
  const address = Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text);
  return address?.family === family ? address : undefined;
}

/** Set on a reflector; undefined also for one that is no dotted quad. */
export function clusterId({ routeReflectorClusterId: text }: Node): string | undefined {
  const id = text === undefined ? undefined : Address.tryParse(text);
  return id?.family === 4 ? id.toString() : undefined;
}

/** A router ID, dotted; `wanted` is `hash`, an address, or empty for the node's own. */
export function routerId(node: Node, wanted: string): string {
  const given = Address.tryParse(wanted);
  if (given?.family === 4) return given.toString();
  const own = bgpAddress(node, 4);
  if (own !== undefined && wanted !== 'hash') return own.toString();
  const digest = createHash('sha1').update(node.name).digest();
  // Neither zero nor of the multicast range, which BIRD would take but other routers do not.
  digest[0] = 1 + ((digest[0] ?? 0) % 223);
  return Address.fromBytes(digest.subarray(0, 4)).toString();
}
