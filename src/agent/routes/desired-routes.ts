import { Cidr, type Address } from '../../model/index.js';
import { ROUTE_PROTOCOL, type Route } from '../../netlink/index.js';

/** The gateways that Join gives out, one per network of a container (architecture §3). */
export const GATEWAYS = Cidr.parse('169.254.1.0/24');
/** RTPROT_KERNEL. */
export const KERNEL_PROTOCOL = 2;
/** What the kernel makes of an IPv6 route without metric. */
const IPV6_METRIC = 1024;

/**
 * Keeps the host answering ARP for the containers' gateways when it has no default route: the
 * kernel's proxy answers only for addresses that it would route out of another device (measured).
 */
export function gatewayRoute(loopbackIndex: number): Route {
  return {
    destination: GATEWAYS,
    type: 'unicast',
    protocol: ROUTE_PROTOCOL,
    scope: 'link',
    interfaceIndex: loopbackIndex,
  };
}

/** The route of one container address. */
export function endpointRoute(address: Address, interfaceIndex: number): Route {
  return {
    destination: Cidr.host(address),
    type: 'unicast',
    protocol: ROUTE_PROTOCOL,
    scope: address.family === 4 ? 'link' : 'universe',
    interfaceIndex,
  };
}

/** Equal in all that decides where packets go; the kernel's default metric is no difference. */
export function sameRoute(left: Route, right: Route): boolean {
  return (
    left.destination.equals(right.destination) &&
    left.type === right.type &&
    left.protocol === right.protocol &&
    left.interfaceIndex === right.interfaceIndex &&
    left.gateway === undefined &&
    right.gateway === undefined &&
    metricOf(left) === metricOf(right) &&
    (left.destination.family === 6 || left.scope === right.scope)
  );
}

function metricOf(route: Route): number {
  return route.metric ?? (route.destination.family === 6 ? IPV6_METRIC : 0);
}

export interface RouteDelta {
  readonly replace: readonly Route[];
  readonly remove: readonly Route[];
}

/** Where a route may be judged: the loopback device, and interfaces of endpoints, ours or left over. */
export interface RouteScope {
  readonly loopbackIndex: number;
  readonly workloadIndexes: ReadonlySet<number>;
}

/**
 * Desired minus actual. To be removed is only what is ours to judge (architecture §6.5): routes of
 * our protocol to single addresses on endpoints' interfaces, or to the gateways on loopback, and
 * routes of any other program on endpoints' interfaces. Those that the kernel made are not.
 */
export function routeDelta(
  desired: readonly Route[],
  actual: readonly Route[],
  scope: RouteScope,
): RouteDelta {
  const wanted = new Map(desired.map((route) => [String(route.destination), route]));
  const present = new Set<string>();
  const remove: Route[] = [];
  for (const route of actual) {
    const key = String(route.destination);
    const want = wanted.get(key);
    if (want !== undefined && sameRoute(want, route)) present.add(key);
    else if (isOurs(route, scope) && !isReplacedBy(want, route)) remove.push(route);
  }
  return { replace: desired.filter((route) => !present.has(String(route.destination))), remove };
}

/** A replacement takes the place of a route of the same destination and metric. */
function isReplacedBy(want: Route | undefined, route: Route): boolean {
  return want !== undefined && metricOf(want) === metricOf(route);
}

function isOurs(route: Route, scope: RouteScope): boolean {
  const { interfaceIndex: index, destination, protocol } = route;
  if (index === undefined || protocol === KERNEL_PROTOCOL) return false;
  if (index === scope.loopbackIndex) {
    return protocol === ROUTE_PROTOCOL && GATEWAYS.containsCidr(destination);
  }
  return scope.workloadIndexes.has(index);
}
