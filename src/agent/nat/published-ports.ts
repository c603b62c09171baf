import { isDeepStrictEqual } from 'node:util';
import type { PublishedPort } from '../../model/index.js';
import type { PortHolder } from './port-holder.js';

/** Where the rules go; the agent's table. */
export interface PortSink {
  putChain(
    name: string,
    chain: { readonly hook?: string; readonly rules: readonly string[] },
  ): void;
  dropChain(name: string): void;
  putSet(name: string, shape: { readonly kind: 'set' | 'map'; readonly type: string }): void;
  dropSet(name: string): void;
  addElement(set: string, key: string, value?: string): void;
  removeElement(set: string, key: string): void;
}

interface Element {
  readonly set: string;
  readonly key: string;
  readonly value: string;
}

const FAMILIES = [4, 6] as const;
const hook = (at: string, priority: string): string =>
  `type nat hook ${at} priority ${priority}; policy accept;`;

const SETS: Readonly<Record<string, { readonly kind: 'set' | 'map'; readonly type: string }>> =
  Object.fromEntries(
    FAMILIES.flatMap((family) => {
      const ip = `ipv${family}_addr`;
      const port = 'inet_proto . inet_service';
      return [
        [`pub${family}`, { kind: 'map', type: `${port} : ${ip} . inet_service` }],
        [`pub${family}-at`, { kind: 'map', type: `${ip} . ${port} : ${ip} . inet_service` }],
        [`hairpin${family}`, { kind: 'set', type: `${ip} . ${ip}` }],
      ] as const;
    }),
  );

/**
 * node-agent §4.3. Packets keep their source, so policy sees who sends them. Two cannot: those of the host's own
 * loopback, whose answers would not leave the container, and those of a container to its own published port.
 */
const CHAINS: Readonly<
  Record<string, { readonly hook?: string; readonly rules: readonly string[] }>
> = {
  publish: {
    rules: FAMILIES.flatMap((family) => {
      const ip = family === 4 ? 'ip' : 'ip6';
      return [
        `dnat ${ip} to ${ip} daddr . meta l4proto . th dport map @pub${family}-at`,
        `dnat ${ip} to meta l4proto . th dport map @pub${family}`,
      ];
    }),
  },
  'pub-pre': {
    hook: hook('prerouting', 'dstnat'),
    // From outside these are martians, which the kernel finds out only after this chain: translated they would pass.
    rules: ['ip daddr 127.0.0.0/8 return', 'fib daddr type local jump publish'],
  },
  'pub-out': {
    hook: hook('output', '-100'),
    // The kernel has no route_localnet for IPv6: it ends at the socket that holds the port, and does not hang.
    rules: ['ip6 daddr ::1 return', 'fib daddr type local jump publish'],
  },
  'pub-post': {
    hook: hook('postrouting', 'srcnat + 9'),
    rules: [
      'ct status dnat ip saddr 127.0.0.0/8 oifname "cali*" counter masquerade comment "published port from this host"',
      'ct status dnat ip saddr . ip daddr @hairpin4 counter masquerade comment "own published port"',
      'ct status dnat ip6 saddr . ip6 daddr @hairpin6 counter masquerade comment "own published port"',
    ],
  },
};

/**
 * Ports of this host that lead to containers, as rules in a sink. Without any there are no rules: their masquerading
 * would cost each container stop a walk through the kernel's connections.
 */
export class PublishedPorts {
  readonly #sink: PortSink;
  readonly #holder: PortHolder;
  readonly #byEndpoint = new Map<string, readonly PublishedPort[]>();
  /** The endpoint that put an element last. */
  readonly #owners = new Map<string, string>();

  constructor(sink: PortSink, holder: PortHolder) {
    this.#sink = sink;
    this.#holder = holder;
  }

  /** Every port, with the endpoint that it leads to. */
  all(): readonly (PublishedPort & { readonly endpoint: string })[] {
    return [...this.#byEndpoint].flatMap(([endpoint, ports]) =>
      ports.map((port) => ({ ...port, endpoint })),
    );
  }

  /** The ports of an endpoint are these from now on; what it held beyond them is free. */
  set(id: string, ports: readonly PublishedPort[]): void {
    const before = this.#byEndpoint.get(id) ?? [];
    // Ports may be reserved that are not told of yet.
    if (isDeepStrictEqual(before, ports)) return;
    if (this.#byEndpoint.size === 0) this.#putRules();
    // What another one has taken over since is not ours to remove.
    for (const { set, key } of elementsOf(before)) {
      if (this.#owners.get(`${set} ${key}`) === id) {
        this.#sink.removeElement(set, key);
        this.#owners.delete(`${set} ${key}`);
      }
    }
    for (const { set, key, value } of elementsOf(ports)) {
      this.#owners.set(`${set} ${key}`, id);
      this.#sink.addElement(set, key, value);
    }
    if (ports.length === 0) this.#byEndpoint.delete(id);
    else this.#byEndpoint.set(id, ports);
    if (this.#byEndpoint.size === 0) this.#dropRules();
    this.#holder.keep(id, ports);
  }

  /** The endpoint is gone, and so is what was reserved for it. */
  remove(id: string): void {
    this.set(id, []);
    this.#holder.keep(id, []);
  }

  /** What was reserved for the endpoint beyond its ports is free. */
  release(id: string): void {
    this.#holder.keep(id, this.#byEndpoint.get(id) ?? []);
  }

  #putRules(): void {
    for (const [name, shape] of Object.entries(SETS)) this.#sink.putSet(name, shape);
    for (const [name, chain] of Object.entries(CHAINS)) this.#sink.putChain(name, chain);
  }

  #dropRules(): void {
    for (const name of Object.keys(CHAINS)) this.#sink.dropChain(name);
    for (const name of Object.keys(SETS)) this.#sink.dropSet(name);
  }
}

/** Of the family of the container's address: a binding to one of the last two has no other (`PortHolder`). */
const WILDCARDS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

function elementsOf(ports: readonly PublishedPort[]): readonly Element[] {
  return ports.flatMap(({ protocol, hostAddress, hostPort, address, port }) => {
    const family = address.includes(':') ? 6 : 4;
    const value = `${address} . ${port}`;
    const at = `${protocol} . ${hostPort}`;
    return [
      WILDCARDS.has(hostAddress)
        ? { set: `pub${family}`, key: at, value }
        : { set: `pub${family}-at`, key: `${hostAddress} . ${at}`, value },
      { set: `hairpin${family}`, key: `${address} . ${address}`, value: '' },
    ];
  });
}
