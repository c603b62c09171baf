import { Fault } from '../base/index.js';
import {
  bitsOf,
  Cidr,
  hostAddressesOf,
  parseSelector,
  type Address,
  type Family,
  type IpPool,
  type Node,
} from '../model/index.js';
import type { Catalog, Versioned } from './catalog.js';
import { isEndpointHandle, isPoolHandle } from './owner.js';
import type { PoolId } from './pool-id.js';

/** `name (CIDR), …` for messages. */
export function describePools(pools: readonly Versioned<IpPool>[]): string {
  if (pools.length === 0) return 'no pool exists';
  return `pools: ${pools.map(({ value }) => `${value.name} (${value.cidr}${value.closed ? ', closed' : ''})`).join(', ')}`;
}

const ADD_ONE = 'add one with "calicoctl create -f POOL.yaml"';

/** Docker's `--subnet` must be a pool's CIDR. Throws `not-found` or `refused` with the pools that exist. */
export function poolOfSubnet(catalog: Catalog, subnet: Cidr): Versioned<IpPool> {
  const found = catalog.pools.find(({ value }) => value.cidr.equals(subnet));
  if (found === undefined) {
    throw new Fault(
      'not-found',
      `no IP pool has the CIDR ${subnet}; ${describePools(catalog.pools)}; ${ADD_ONE}`,
      {
        reason: 'no-such-pool',
      },
    );
  }
  if (found.value.closed) {
    throw new Fault(
      'refused',
      `IP pool ${found.value.name} (${subnet}) is disabled or being deleted; enable it or use another pool`,
      {
        reason: 'pool-closed',
      },
    );
  }
  return found;
}

/**
 * Pools that an automatic request may use, in order (datamodel §2.6). A named pool bypasses selectors
 * and assignment mode, as a pool named by the caller does in Calico.
 */
export function candidatePools(
  catalog: Catalog,
  poolId: PoolId,
  family: Family,
): Versioned<IpPool>[] {
  if (poolId.poolName !== undefined) return [namedPool(catalog, poolId.poolName, poolId.family)];
  const node = requireNode(catalog);
  const chosen = catalog.pools.filter(
    ({ value }) =>
      value.cidr.family === family &&
      !value.closed &&
      value.assignmentMode === 'Automatic' &&
      admits(value, node),
  );
  if (chosen.length > 0) return chosen;
  throw new Fault(
    'not-found',
    `no IPv${family} pool is open to node ${node.name}; ${describePools(catalog.pools)}; ${ADD_ONE}, or check disabled, nodeSelector, allowedUses and assignmentMode`,
    { reason: 'no-qualified-pool' },
  );
}

/** `family` undefined: whichever it has. */
function namedPool(catalog: Catalog, name: string, family: Family | undefined): Versioned<IpPool> {
  const pool = catalog.pool(name);
  if (pool !== undefined && family !== undefined && pool.value.cidr.family !== family) {
    throw new Fault(
      'not-found',
      `IP pool ${name} (${pool.value.cidr}) has no IPv${family} addresses any more; ${describePools(catalog.pools)}`,
      { reason: 'wrong-family' },
    );
  }
  if (pool === undefined) {
    throw new Fault(
      'not-found',
      `IP pool ${name} does not exist any more; ${describePools(catalog.pools)}; ${ADD_ONE}`,
      {
        reason: 'no-such-pool',
      },
    );
  }
  if (pool.value.closed) {
    throw new Fault(
      'refused',
      `IP pool ${name} (${pool.value.cidr}) is disabled or being deleted; enable it or use another pool`,
      {
        reason: 'pool-closed',
      },
    );
  }
  return pool;
}

/**
 * This host's own address is in it: whoever gets a route to such a block cuts the host off, so nobody
 * routes it (see `agent/routes`), and containers are to have no address there.
 */
export function coversOwnHost({ node }: Catalog, block: Cidr): boolean {
  if (node.value === undefined) return false;
  return hostAddressesOf(node.value).some((address) => block.contains(address));
}

/** Docker hosts know no namespaces with labels, so a pool with a namespaceSelector is never automatic here. */
function admits(pool: IpPool, node: Node): boolean {
  return (
    pool.allowedUses.includes('Workload') &&
    pool.namespaceSelector === '' &&
    parseSelector(pool.nodeSelector).evaluate(node.labels)
  );
}

export function requireNode(catalog: Catalog): Node {
  const node = catalog.node.value;
  if (node === undefined) {
    throw new Fault(
      'refused',
      `the datastore has no Node ${catalog.node.key.split('/').at(-1)}: it was deleted or never made; restart the daemon to register the host again`,
      { reason: 'node-missing' },
    );
  }
  return node;
}

/** Throws `refused` when the node is being emptied and the handle is a container's or a network's. */
export function refuseDrained(catalog: Catalog, handle: string): void {
  const node = catalog.node.value;
  if (node?.drain === undefined || (!isEndpointHandle(handle) && !isPoolHandle(handle))) return;
  throw new Fault(
    'refused',
    `node ${node.name} is drained and gives out no addresses; "calicoctl node drain --undo ${node.name}" ends that`,
    { reason: 'node-drained' },
  );
}

/** FNV-1 (not 1a), 32 bits: a stable start per host, so that hosts begin in different places. */
export function fnv1(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
  return hash;
}

/** Every block of the pool that may hold an address of `within`, from a start that depends on the host, with wrap-around. */
export function* blockOrder(pool: IpPool, within: Cidr, host: string): Generator<Cidr> {
  const bits = bitsOf(pool.cidr.family);
  if (within.prefix >= pool.blockSize) {
    yield Cidr.of(within.base, pool.blockSize);
    return;
  }
  const count = 1n << BigInt(pool.blockSize - within.prefix);
  const size = 1n << BigInt(bits - pool.blockSize);
  const start = BigInt(fnv1(host)) % count;
  for (let index = 0n; index < count; index += 1n) {
    yield Cidr.of(within.base.plus(((start + index) % count) * size), pool.blockSize);
  }
}

/** Addresses that automatic assignment passes over: reservations, and those of this host itself. */
export function reservedIn(catalog: Catalog): (address: Address) => boolean {
  const node = catalog.node.value;
  const own = (node === undefined ? [] : hostAddressesOf(node)).map((one) => Cidr.host(one));
  const cidrs = [...catalog.reservations.flatMap((reservation) => reservation.cidrs), ...own];
  if (cidrs.length === 0) return () => false;
  return (address) => cidrs.some((cidr) => cidr.contains(address));
}
