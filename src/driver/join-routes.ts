import { Fault } from '../base/index.js';
import { Cidr, type Family } from '../model/index.js';
import type { EndpointsContext } from './context.js';
import type { EndpointRecord } from './endpoint-book.js';
import type { Network } from './network-record.js';

/** Where the network's members are: its subnets, or the automatic pools. */
export function subnetsOf(
  { pools }: EndpointsContext,
  network: Network,
  families: ReadonlySet<Family> = new Set([4, 6]),
): readonly Cidr[] {
  const automatic = network.automatic.flatMap((family) => pools.automaticSubnets(family));
  return [...network.subnets, ...automatic].filter(({ family }) => families.has(family));
}

/**
 * The subnets that a Join routes through its own gateway; to the others of its network the default route leads.
 *
 * Docker refuses an interface whose address lies in a route that the sandbox has already, tells a driver of one
 * network at a time, and programs a container's networks in an order of its own. So what several networks of this
 * host have in common is not routed. Only an internal one has no default route and needs its own: beside it, a second
 * network on its pool is refused, or the container would start or not, as the order falls.
 */
export function routesOfJoin(
  context: EndpointsContext,
  network: Network,
  joining: Pick<EndpointRecord, 'endpoint' | 'subnets'>,
  members: readonly EndpointRecord[],
): readonly string[] {
  const there = new Set(members.flatMap(({ routed }) => routed));
  const elsewhere = network.internal ? new Set<string>() : subnetsOfOthers(context, network);
  const routed = joining.subnets.filter((cidr) => !there.has(cidr) && !elsewhere.has(cidr));
  // Of its own network, only an endpoint whose Leave was lost can be there.
  for (const other of members.filter(({ networkId }) => networkId !== network.networkId)) {
    refuseInside(joining, other.routed);
    refuseInside(other, routed);
  }
  return routed;
}

function refuseInside(
  { endpoint }: Pick<EndpointRecord, 'endpoint'>,
  routed: readonly string[],
): void {
  for (const cidr of routed) {
    const address = endpoint.addresses.find((one) => Cidr.parse(cidr).contains(one));
    if (address === undefined) continue;
    throw new Fault(
      'conflict',
      `the container has two networks on ${cidr}, and one of them routes it for itself: an internal network needs a pool ` +
        'of its own here; if neither is internal, start the container again',
      { reason: 'subnet-routed' },
    );
  }
}

/** Subnets of this host's other networks. */
function subnetsOfOthers(context: EndpointsContext, network: Network): ReadonlySet<string> {
  const others = context.networks.all().filter(({ networkId }) => networkId !== network.networkId);
  return new Set(others.flatMap((other) => subnetsOf(context, other).map(String)));
}
