import type { DockerEndpoint, DockerNetwork } from './engine-records.js';

/** What is told about networks and endpoints of ours. Must not throw. */
export interface InventoryListener {
  onNetwork?(change: NetworkChange): void;
  onEndpoint?(endpoint: DockerEndpoint): void;
  onEndpointGone?(endpointId: string): void;
}

/** `learnt` comes once per id and name, `removed` when Docker no longer has the network. */
export type NetworkChange =
  | { readonly type: 'learnt'; readonly id: string; readonly name: string }
  | { readonly type: 'removed'; readonly id: string; readonly name: string };

interface KnownNetwork {
  readonly name: string;
  /** Absent while only an event has told of it. */
  readonly network?: DockerNetwork;
  /** Order of learning: a list that was asked for earlier says nothing about it. */
  readonly learnt: number;
}

/** What is known of Docker now, and who wants to hear of changes. No input or output of its own. */
export interface Catalog {
  nameOf(networkId: string): string | undefined;
  networks(): readonly DockerNetwork[];
  endpoint(endpointId: string): DockerEndpoint | undefined;
  endpoints(): readonly DockerEndpoint[];
  /** Taken before a list is asked for, given back with its answer. */
  mark(): number;
  learnName(networkId: string, name: string): void;
  forget(networkId: string): void;
  putNetworks(networks: readonly DockerNetwork[], mark: number): void;
  putEndpoints(endpoints: readonly DockerEndpoint[]): void;
  /** A container has left a network. */
  disconnect(containerId: string, networkId: string): void;
  /** Tells everything known at once, then every change; returns how to end it. */
  subscribe(listener: InventoryListener): () => void;
}

export function createCatalog(): Catalog {
  const networks = new Map<string, KnownNetwork>();
  let endpoints = new Map<string, DockerEndpoint>();
  const listeners = new Set<InventoryListener>();
  let order = 0;

  function learn(id: string, name: string, network?: DockerNetwork): void {
    const before = networks.get(id);
    const kept = network ?? before?.network;
    networks.set(id, {
      name,
      learnt: (order += 1),
      ...(kept === undefined ? {} : { network: kept }),
    });
    if (before?.name !== name)
      for (const listener of listeners) listener.onNetwork?.({ type: 'learnt', id, name });
  }

  function forget(id: string): void {
    const known = networks.get(id);
    if (known === undefined) return;
    networks.delete(id);
    for (const listener of listeners)
      listener.onNetwork?.({ type: 'removed', id, name: known.name });
  }

  function putNetworks(listed: readonly DockerNetwork[], mark: number): void {
    const ids = new Set(listed.map((network) => network.id));
    for (const [id, known] of networks) if (!ids.has(id) && known.learnt <= mark) forget(id);
    for (const network of listed) learn(network.id, network.name, network);
  }

  function putEndpoints(listed: readonly DockerEndpoint[]): void {
    const before = endpoints;
    endpoints = new Map(listed.map((endpoint) => [endpoint.endpointId, endpoint]));
    for (const id of before.keys()) {
      if (!endpoints.has(id)) for (const listener of listeners) listener.onEndpointGone?.(id);
    }
    for (const [id, endpoint] of endpoints) {
      if (sameEndpoint(before.get(id), endpoint)) continue;
      for (const listener of listeners) listener.onEndpoint?.(endpoint);
    }
  }

  function disconnect(containerId: string, networkId: string): void {
    for (const [id, endpoint] of endpoints) {
      if (endpoint.containerId !== containerId || endpoint.networkId !== networkId) continue;
      endpoints.delete(id);
      for (const listener of listeners) listener.onEndpointGone?.(id);
    }
  }

  return {
    nameOf: (id) => networks.get(id)?.name,
    networks: () => [...networks.values()].flatMap((known) => known.network ?? []),
    endpoint: (id) => endpoints.get(id),
    endpoints: () => [...endpoints.values()],
    mark: () => order,
    learnName: (id, name) => learn(id, name),
    forget,
    putNetworks,
    putEndpoints,
    disconnect,
    subscribe: (listener) => {
      for (const [id, { name }] of networks) listener.onNetwork?.({ type: 'learnt', id, name });
      for (const endpoint of endpoints.values()) listener.onEndpoint?.(endpoint);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Labels cannot change in a container's life; name, addresses and network can. */
function sameEndpoint(one: DockerEndpoint | undefined, other: DockerEndpoint): boolean {
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other);
}
