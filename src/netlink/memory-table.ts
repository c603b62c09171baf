import { Fault } from '../base/fault.js';
import type { Route } from './port.js';

/** Linux gives an IPv6 route without a metric this one. */
export const IPV6_DEFAULT_METRIC = 1024;

/** The route as the kernel lists it back: metric, scope and device in the form it stores them. */
export function asListed(route: Route): Route {
  const metric = storedMetric(route);
  return {
    destination: route.destination,
    type: route.type,
    protocol: route.protocol,
    scope: route.destination.family === 6 ? 'universe' : route.scope,
    ...(route.interfaceIndex !== undefined && hasDevice(route)
      ? { interfaceIndex: route.interfaceIndex }
      : {}),
    ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
    ...(metric === undefined ? {} : { metric }),
  };
}

/** Blackholes and their like belong to no device, though IPv6 lists them on `lo`. */
export function hasDevice(route: Route): boolean {
  return route.type === 'unicast' || route.type === 'local';
}

export function storedMetric(route: Route): number | undefined {
  const metric = route.metric === 0 ? undefined : route.metric;
  return metric ?? (route.destination.family === 6 ? IPV6_DEFAULT_METRIC : undefined);
}

/** What one kernel table holds at most one route for. */
export function routeKey(route: Route): string {
  return `${route.destination} ${storedMetric(route) ?? 0}`;
}

/** The fault for a device that does not exist (ENODEV). */
export function noSuchLink(what: string): Fault {
  return new Fault('not-found', `${what}: no such network interface (ENODEV)`, {
    reason: 'no-such-link',
    details: { errno: 19 },
  });
}

/** The fault for a device that is down (ENETDOWN). */
export function linkIsDown(what: string): Fault {
  return new Fault('unavailable', `${what}: the network interface is down (ENETDOWN)`, {
    reason: 'link-down',
    details: { errno: 100 },
  });
}

/** The fault for a name or address that is taken (EEXIST). */
export function taken(what: string): Fault {
  return new Fault('exists', `${what}: exists already (EEXIST)`, {
    reason: 'exists',
    details: { errno: 17 },
  });
}
