import { Cidr } from '../model/index.js';
import { clusterIdOf, type Network } from './network-record.js';
import { otherIpam, readNetworkOptions } from './options.js';
import type { PoolRequests } from './ports.js';
import type { CreateNetworkBody } from './schema.js';

/** The network that CreateNetwork asks for; it takes the pools that Docker asked for before. Throws `invalid`. */
export function networkOf(
  body: CreateNetworkBody,
  {
    node,
    names,
    pools,
  }: {
    readonly node: string;
    readonly names: { readonly driver: string; readonly ipamDriver: string };
    readonly pools: PoolRequests;
  },
): Network {
  const data = [...(body.IPv4Data ?? []), ...(body.IPv6Data ?? [])];
  for (const { AddressSpace: space } of data) {
    if (space !== 'CalicoLocalAddressSpace' && space !== 'CalicoGlobalAddressSpace')
      throw otherIpam(names, space);
  }
  const { internal, generic } = readNetworkOptions(body.Options ?? {});
  const asked = data.flatMap(({ Pool: pool }) => (typeof pool === 'string' ? [{ pool }] : []));
  const subnets = asked.map(({ pool }) => Cidr.parse(pool));
  const adopted = pools.adopt(asked);
  const automatic = adopted.filter((pool) => pool.automatic).map(({ family }) => family);
  const given = subnets.filter(({ prefix }) => prefix > 0);
  return {
    clusterId: clusterIdOf(body.NetworkID),
    networkId: body.NetworkID,
    name: '',
    internal,
    options: generic,
    subnets: given.filter(({ family }) => !automatic.includes(family)),
    automatic: automatic.length > 0 || given.length > 0 ? automatic : [4],
    poolIds: adopted.map(({ poolId }) => poolId),
    hosts: { [node]: body.NetworkID },
  };
}
