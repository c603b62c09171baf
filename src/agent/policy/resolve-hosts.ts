import { Address, type HostEndpoint } from '../../model/index.js';

/** An interface of this host that is no container's. */
export interface HostInterface {
  readonly name: string;
  readonly addresses: readonly Address[];
}

export interface ResolvedHosts {
  /** Interface → ID of its host endpoint. */
  readonly interfaces: ReadonlyMap<string, string>;
  /** The one of all interfaces that have none of their own. */
  readonly wildcard?: string;
  /** Of no effect: another one has its interface, or there is none. */
  readonly unused: readonly string[];
}

export const EVERY_INTERFACE = '*';

/**
 * Which host endpoint speaks for which interface (node-agent §5.6). One with a name is of that
 * interface, also before it exists; one without is of the interfaces that have an address it expects.
 * Of several for one interface the first ID counts, as in Felix.
 */
export function resolveHosts(
  endpoints: ReadonlyMap<string, HostEndpoint>,
  interfaces: readonly HostInterface[],
): ResolvedHosts {
  const found = new Map<string, string>();
  let wildcard: string | undefined;
  for (const id of [...endpoints.keys()].sort()) {
    const { interfaceName, expectedIPs } = endpoints.get(id) ?? { expectedIPs: [] };
    if (interfaceName === EVERY_INTERFACE) wildcard ??= id;
    else {
      const names =
        interfaceName === undefined ? holders(expectedIPs, interfaces) : [interfaceName];
      for (const name of names) if (!found.has(name)) found.set(name, id);
    }
  }
  const used = new Set([...found.values(), wildcard]);
  return {
    interfaces: found,
    ...(wildcard === undefined ? {} : { wildcard }),
    unused: [...endpoints.keys()].filter((id) => !used.has(id)).sort(),
  };
}

function holders(
  expectedIPs: readonly string[],
  interfaces: readonly HostInterface[],
): readonly string[] {
  const expected = new Set(expectedIPs.map((text) => String(Address.tryParse(text) ?? '')));
  return interfaces
    .filter(({ addresses }) => addresses.some((address) => expected.has(String(address))))
    .map(({ name }) => name);
}
