import { isFault, messageOf, type Log } from '../../base/index.js';
import type { Netlink, Route } from '../../netlink/index.js';
import type { RouteReason } from './route-target.js';

/** Why a route that is wanted is not there; a closed list. */
export type RouteObstacle =
  | RouteReason
  /** Another program has a route of the same destination: it is left. */
  | 'foreign-route'
  /** The interface or tunnel that it needs is missing or down. */
  | 'device-missing';

export interface RouteProblem {
  readonly destination: string;
  readonly reason: RouteObstacle;
  readonly words: string;
}

const WORDS: Readonly<Record<RouteObstacle, string>> = {
  'node-missing': 'the datastore has no Node of the host that owns it',
  'node-without-address': 'the Node of its host, or our own, has no address of this family',
  'covers-host': 'it contains the address of a host, which a route would cut off',
  'no-tunnel-address': 'its host has no tunnel address yet',
  'other-subnet':
    'its pool is without encapsulation and its host is not on our subnet: use BGP, or CrossSubnet',
  'foreign-route': 'another program has a route of this destination',
  'device-missing': 'the interface or tunnel that it needs is missing or down',
};

/** Which wanted routes are not there, and why; each is told once. */
export class RouteObstacles {
  readonly #log: Log;
  readonly #found = new Map<string, RouteProblem>();

  constructor(log: Log) {
    this.#log = log;
  }

  get all(): readonly RouteProblem[] {
    return [...this.#found.values()];
  }

  has(destination: string): boolean {
    return this.#found.has(destination);
  }

  clear(destination: string): void {
    this.#found.delete(destination);
  }

  tell(destination: string, reason: RouteObstacle, words = WORDS[reason]): void {
    const known = this.#found.get(destination);
    if (known?.reason === reason && known.words === words) return;
    this.#found.set(destination, { destination, reason, words });
    if (reason === 'foreign-route') this.#log.warn({ route: destination, reason }, words);
  }
}

/** The obstacle that a refused route means; undefined when the kernel's answer is a failure of its own. */
export function obstacleOf(error: unknown): RouteObstacle | undefined {
  if (isFault(error, 'exists')) return 'foreign-route';
  const waits =
    isFault(error, 'not-found') ||
    (isFault(error, 'unavailable') &&
      (error.reason === 'link-down' || error.reason === 'gateway-unreachable'));
  return waits ? 'device-missing' : undefined;
}

/** What stands in the way, found out for the operator. */
export async function describeObstacle(
  reason: RouteObstacle,
  route: Route,
  netlink: Netlink,
  error: unknown,
): Promise<string> {
  if (reason !== 'foreign-route') return messageOf(error);
  const destination = String(route.destination);
  const found = (await netlink.routes(route.destination.family)).find(
    (other) => String(other.destination) === destination,
  );
  if (found === undefined) return 'another program had a route of this destination';
  const via = found.gateway === undefined ? '' : ` via ${found.gateway}`;
  return `another program (protocol ${found.protocol}) has a ${found.type} route to ${destination}${via}: remove it, and ours is set`;
}
