import type { Route, RouteType } from './port.js';

/** Linux gives an IPv6 route without a metric this one. */
export const IPV6_DEFAULT_METRIC = 1024;

/** Blackholes and their like belong to no device, though IPv6 lists them on `lo`. */
export function hasDevice(type: RouteType): boolean {
  return type === 'unicast' || type === 'local';
}

/** The metric under which the kernel keeps the route; undefined for none. */
export function storedMetric(route: Route): number | undefined {
  const metric = route.metric === 0 ? undefined : route.metric;
  return metric ?? (route.destination.family === 6 ? IPV6_DEFAULT_METRIC : undefined);
}

/**
 * The route as `routes` lists it back: metric, scope and device in the form the kernel keeps them.
 * Compare desired with actual routes after this.
 */
export function asListed(route: Route): Route {
  const metric = storedMetric(route);
  return {
    destination: route.destination,
    type: route.type,
    protocol: route.protocol,
    scope: route.destination.family === 6 ? 'universe' : route.scope,
    ...(route.interfaceIndex !== undefined && hasDevice(route.type)
      ? { interfaceIndex: route.interfaceIndex }
      : {}),
    ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
    ...(route.onlink === true ? { onlink: true } : {}),
    ...(metric === undefined ? {} : { metric }),
  };
}

/** Equal for routes of which the kernel keeps one: destination and metric. */
export function routeKey(route: Route): string {
  return `${route.destination} ${storedMetric(route) ?? 0}`;
}
