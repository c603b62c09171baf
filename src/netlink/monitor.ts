import type { Log } from '../base/log.js';
import { decodeAddress, RTM_DELADDR } from './address.js';
import { decodeLink, RTM_DELLINK } from './link.js';
import { listenToKernel } from './listen.js';
import type { KernelEvent } from './port.js';
import { NETLINK_ROUTE } from './request.js';
import { decodeRoute, RTM_DELROUTE } from './route.js';
import type { Message } from './wire.js';

/** RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE. */
const GROUPS = [1, 5, 7, 9, 11] as const;

/**
 * Tells of changed links, addresses and routes of the main table until closed. Its first event is an
 * overrun, once the groups are joined: what is listed after it cannot change unheard.
 */
export function monitorKernel(log: Log, listener: (event: KernelEvent) => void): { close(): void } {
  return listenToKernel({
    log,
    protocol: NETLINK_ROUTE,
    groups: GROUPS,
    onMessage: (message) => {
      const event = decodeEvent(message);
      if (event !== undefined) listener(event);
    },
    onGap: () => listener({ type: 'overrun' }),
  });
}

function decodeEvent(message: Message): KernelEvent | undefined {
  const { type } = message;
  const link = decodeLink(message);
  if (link !== undefined) return { type: 'link', link, removed: type === RTM_DELLINK };
  const route = decodeRoute(message);
  if (route !== undefined) return { type: 'route', route, removed: type === RTM_DELROUTE };
  const address = decodeAddress(message);
  if (address !== undefined) return { type: 'address', address, removed: type === RTM_DELADDR };
  return undefined;
}
