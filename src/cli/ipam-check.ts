import {
  Address,
  Cidr,
  heldAddresses,
  type Block,
  type IpPool,
  type Node,
  type WorkloadEndpoint,
} from '../model/index.js';

/** What IPAM says, and who uses addresses, as of one revision. */
export interface IpamWorld {
  readonly pools: readonly IpPool[];
  readonly blocks: readonly Block[];
  /** IDs of handles that are stored. */
  readonly handles: readonly string[];
  readonly nodes: readonly Node[];
  readonly endpoints: readonly WorkloadEndpoint[];
  /** Addresses that are kept for somebody. */
  readonly kept: ReadonlySet<string>;
  /** PoolIDs of networks: their gateway and auxiliary addresses are in use as long as the network is there. */
  readonly usesPool: (poolId: string) => boolean;
}

export interface CheckedAddress {
  readonly address: string;
  /** Who uses it, or what is said of who took it. */
  readonly about: string;
}

export interface IpamReport {
  readonly allocations: number;
  readonly inUse: readonly CheckedAddress[];
  /** Taken, and nobody uses it. */
  readonly leaked: readonly CheckedAddress[];
  /** Used, and in no pool. */
  readonly outside: readonly CheckedAddress[];
  /** Used, and not taken: another container may get it. */
  readonly unallocated: readonly CheckedAddress[];
  /** Stored, and no address is theirs. */
  readonly leakedHandles: readonly string[];
  /** Of addresses, and not stored. */
  readonly missingHandles: readonly string[];
}

const POOL_HANDLE = 'docker-pool.';

/** Compares what is taken with what is used, as Calico's `ipam check` does (datamodel §4.5). */
export function checkIpam(world: IpamWorld): IpamReport {
  const users = usersOf(world);
  const taken = new Map<string, Taken>();
  for (const block of world.blocks) {
    for (const { address, holder } of heldAddresses(block)) {
      const { handle, secondary, releasedAt } = holder;
      taken.set(String(address), {
        handle,
        node: secondary['node'],
        cooling: releasedAt !== undefined,
      });
    }
  }
  const used = (address: string, { handle = '', cooling }: Taken): boolean =>
    cooling ||
    users.has(address) ||
    world.kept.has(address) ||
    (handle.startsWith(POOL_HANDLE) && world.usesPool(handle.slice(POOL_HANDLE.length)));
  const active = world.pools.filter(({ disabled }) => !disabled).map(({ cidr }) => cidr);
  const strays = [...users].filter(([address]) => !taken.has(address));
  const inPool = ([, { at }]: Use): boolean => isIn(active, at);
  const handles = new Set([...taken.values()].flatMap(({ handle }) => handle ?? []));
  const stored = new Set(world.handles);
  return {
    allocations: taken.size,
    inUse: [...users].map(shown),
    leaked: [...taken]
      .filter(([address, one]) => !used(address, one))
      .map(([address, { handle, node }]) => ({
        address,
        about: `handle ${handle ?? '(none)'}, node ${node ?? '(not said)'}`,
      })),
    outside: [...users].filter((use) => !inPool(use)).map(shown),
    unallocated: strays.filter(inPool).map(shown),
    leakedHandles: world.handles.filter((id) => !handles.has(id)),
    missingHandles: [...handles].filter((id) => !stored.has(id)),
  };
}

interface Taken {
  readonly handle: string | undefined;
  readonly node: string | undefined;
  readonly cooling: boolean;
}

type Use = readonly [string, { readonly at: Address; readonly by: string }];

const shown = ([address, { by }]: Use): CheckedAddress => ({ address, about: by });

const isIn = (cidrs: readonly Cidr[], address: Address): boolean =>
  cidrs.some((cidr) => cidr.contains(address));

function usersOf({ endpoints, nodes }: IpamWorld): Map<string, Use[1]> {
  const users = new Map<string, Use[1]>();
  for (const { addresses, namespace, name } of endpoints) {
    for (const at of addresses) users.set(String(at), { at, by: `endpoint ${namespace}/${name}` });
  }
  for (const node of nodes) {
    for (const at of tunnelAddresses(node))
      users.set(String(at), { at, by: `tunnel of ${node.name}` });
  }
  return users;
}

function tunnelAddresses(node: Node): Address[] {
  const { ipv4IpipTunnelAddress, ipv4VxlanTunnelAddress, ipv6VxlanTunnelAddress } = node;
  return [ipv4IpipTunnelAddress, ipv4VxlanTunnelAddress, ipv6VxlanTunnelAddress].flatMap((text) =>
    text === undefined
      ? []
      : (Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text) ?? []),
  );
}
