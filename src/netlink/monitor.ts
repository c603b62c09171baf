import { sleep } from '../base/abort.js';
import { backoff } from '../base/backoff.js';
import { isFault, type Fault } from '../base/fault.js';
import type { Log } from '../base/log.js';
import { decodeAddress, RTM_DELADDR } from './address.js';
import { decodeLink, RTM_DELLINK } from './link.js';
import type { KernelEvent } from './port.js';
import { NETLINK_ROUTE } from './request.js';
import { decodeRoute, RTM_DELROUTE } from './route.js';
import { subscribe, type Subscription } from './socket.js';
import type { Message } from './wire.js';

/** RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE. */
const GROUPS = [1, 5, 7, 9, 11] as const;
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 10_000;

/**
 * Tells of changed links, addresses and routes of the main table until closed. Its first event is an
 * overrun, once the groups are joined: what is listed after it cannot change unheard. A lost socket
 * (the kernel drops events that are not read in time) is opened again, with another overrun.
 */
export function monitorKernel(log: Log, listener: (event: KernelEvent) => void): Subscription {
  const stop = new AbortController();
  void keepSubscribed(log, listener, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) log.error({ err: error }, 'the kernel monitor ended');
  });
  return { close: () => stop.abort() };
}

async function keepSubscribed(
  log: Log,
  listener: (event: KernelEvent) => void,
  stop: AbortSignal,
): Promise<void> {
  const tell = (event: KernelEvent): void => {
    if (stop.aborted) return;
    try {
      listener(event);
    } catch (error) {
      log.error({ err: error, event: event.type }, 'a listener of kernel events failed');
    }
  };
  let pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
  while (!stop.aborted) {
    try {
      const lost = await oneSubscription(tell, stop);
      pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
      if (lost !== undefined) log.info({ err: lost }, 'kernel events were missed');
    } catch (error) {
      if (!isFault(error)) throw error;
      log.warn({ err: error }, 'kernel events cannot be heard');
      await sleep(pauses.next().value, stop);
    }
  }
}

/** From joining the groups until the socket is lost (why) or the monitor stopped (undefined). */
async function oneSubscription(
  tell: (event: KernelEvent) => void,
  stop: AbortSignal,
): Promise<Fault | undefined> {
  let lose: (fault: Fault | undefined) => void = () => undefined;
  const ended = new Promise<Fault | undefined>((resolve) => (lose = resolve));
  const onStop = (): void => lose(undefined);
  stop.addEventListener('abort', onStop, { once: true });
  try {
    const subscription = await subscribe(
      NETLINK_ROUTE,
      GROUPS,
      (message) => {
        const event = decodeEvent(message);
        if (event !== undefined) tell(event);
      },
      lose,
    );
    if (stop.aborted) lose(undefined);
    else tell({ type: 'overrun' });
    const fault = await ended;
    subscription.close();
    return fault;
  } finally {
    stop.removeEventListener('abort', onStop);
  }
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
