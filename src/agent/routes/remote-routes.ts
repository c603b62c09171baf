import { asListed, ROUTE_PROTOCOL, type Route } from '../../netlink/index.js';
import type { Cidr, Family, TunnelKind } from '../../model/index.js';
import { KERNEL_PROTOCOL } from './desired-routes.js';
import type { RouteTarget } from './route-target.js';

/** RTPROT_BIRD: of an older Calico that left IPIP to BIRD. */
const BIRD_PROTOCOL = 12;

/** Interface numbers that targets become routes with; one that is missing has no routes. */
export interface RouteDevices {
  /** The interfaces that have the Node's addresses. */
  readonly uplinks: Readonly<Partial<Record<Family, number>>>;
  readonly tunnels: Readonly<Partial<Record<TunnelKind, number>>>;
}

export const noDevices: RouteDevices = { uplinks: {}, tunnels: {} };

/** The kernel's route for a target; undefined while its device is not there. */
export function routeFor(
  destination: Cidr,
  target: RouteTarget,
  devices: RouteDevices,
): Route | undefined {
  const common = { destination, protocol: ROUTE_PROTOCOL, scope: 'universe' } as const;
  if (target.kind === 'none') return undefined;
  if (target.kind === 'blackhole') return asListed({ ...common, type: 'blackhole' });
  const { kind, gateway } = target;
  const interfaceIndex =
    kind === 'direct' ? devices.uplinks[destination.family] : devices.tunnels[kind];
  if (interfaceIndex === undefined) return undefined;
  const unicast = { ...common, type: 'unicast', interfaceIndex } as const;
  // The other end's own tunnel address: it is its own neighbour.
  if (destination.isHost && destination.base.equals(gateway)) {
    return asListed({ ...unicast, scope: 'link' });
  }
  return asListed({ ...unicast, gateway, onlink: true });
}

/** Equal in everything that the kernel keeps. */
export function equalRoutes(left: Route | undefined, right: Route | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return (
    left.destination.equals(right.destination) &&
    left.type === right.type &&
    left.protocol === right.protocol &&
    left.interfaceIndex === right.interfaceIndex &&
    String(left.gateway) === String(right.gateway) &&
    (left.onlink ?? false) === (right.onlink ?? false) &&
    (left.metric ?? 0) === (right.metric ?? 0) &&
    left.scope === right.scope
  );
}

/**
 * Whether a route is this part's to keep and to remove (node-agent §1.9): of our protocol to a gateway or nowhere;
 * on a VXLAN device of ours by any program, since Felix marks its own like nobody's; on `tunl0` also BIRD's. Routes
 * of endpoints have no gateway and are the other part's.
 */
export function isClusterRoute(route: Route, { tunnels }: RouteDevices): boolean {
  const { protocol, interfaceIndex: index } = route;
  if (protocol === KERNEL_PROTOCOL) return false;
  if (index !== undefined && (index === tunnels.vxlan4 || index === tunnels.vxlan6)) return true;
  if (index !== undefined && index === tunnels.ipip && protocol === BIRD_PROTOCOL) return true;
  if (protocol !== ROUTE_PROTOCOL) return false;
  return route.type === 'blackhole' || route.gateway !== undefined || index === tunnels.ipip;
}
