import { orAbort, sleep } from '../base/abort.js';
import { backoff } from '../base/backoff.js';
import { isFault, messageOf } from '../base/fault.js';
import type { Log } from '../base/log.js';
import { closeLater, dropsOf, lost, openRaw, survivesOverrun } from './raw-socket.js';
import { decodeMessages, type Message } from './wire.js';

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 10_000;
/**
 * Drops are looked for each time this much was read. A message takes at most twice its length plus
 * 1.5 KiB of the receive buffer, and that has 208 KiB at the least; so after a drop more than this is
 * still to be read, and no drop goes unnoticed.
 */
const READ_BETWEEN_CHECKS = 48 * 1024;
const MESSAGE_OVERHEAD = 768;

export interface KernelListener {
  readonly log: Log;
  /** Family of netlink sockets, such as 0 for rtnetlink and 12 for netfilter. */
  readonly protocol: number;
  /** Numbers of the multicast groups. */
  readonly groups: readonly number[];
  readonly onMessage: (message: Message) => void;
  /**
   * Something may have changed unheard: when listening begins, and after messages were missed. `deaf`: and
   * goes on to, for no socket can be had.
   */
  readonly onGap: (deaf: boolean) => void;
}

/**
 * Hears what the kernel tells multicast groups, until closed. What is looked at in `onGap` or later
 * cannot change unheard. While no socket can be had it tries again, each time with a gap.
 */
export function listenToKernel(listener: KernelListener): { close(): void } {
  const stop = new AbortController();
  const guarded = guard(listener, stop.signal);
  void keepListening(guarded, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) listener.log.error({ err: error }, 'listening to the kernel ended');
  });
  return { close: () => stop.abort() };
}

/** Nothing is told after the stop, and no exception gets into the addon, which would abort. */
function guard(listener: KernelListener, stop: AbortSignal): KernelListener {
  const call = (work: () => void): void => {
    if (stop.aborted) return;
    try {
      work();
    } catch (error) {
      listener.log.error({ err: error }, 'a listener of kernel events failed');
    }
  };
  return {
    ...listener,
    onMessage: (message) => call(() => listener.onMessage(message)),
    onGap: (deaf) => call(() => listener.onGap(deaf)),
  };
}

async function keepListening(listener: KernelListener, stop: AbortSignal): Promise<void> {
  let pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
  let said = false;
  while (!stop.aborted) {
    try {
      await listenOnce(listener, stop, () => {
        pauses = backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS);
        said = false;
      });
    } catch (error) {
      if (stop.aborted) return;
      if (!isFault(error, 'unavailable')) throw error;
      if (!said) listener.log.warn({ err: error }, 'kernel events cannot be heard');
      said = true;
      listener.onGap(true);
    }
    await sleep(pauses.next().value, stop);
  }
}

/** Rejects when the socket cannot be had or is lost; ends with the stop. */
async function listenOnce(
  listener: KernelListener,
  stop: AbortSignal,
  onJoined: () => void,
): Promise<void> {
  const { protocol, groups } = listener;
  const raw = await openRaw(protocol);
  try {
    await survivesOverrun(raw, protocol);
    const ended = new Promise<never>((_, reject) => {
      const fail = (error: unknown): void => reject(lost(error));
      const check = dropCheck(listener, () => dropsOf(raw, protocol), fail);
      raw.on('error', fail);
      raw.on('message', (datagram) => {
        try {
          for (const message of decodeMessages(datagram)) listener.onMessage(message);
          check(datagram.length);
        } catch (error) {
          fail(error);
        }
      });
    });
    join(groups, (group) => raw.addMembership(group));
    onJoined();
    listener.onGap(false);
    await orAbort(ended, stop, 'listening to the kernel');
  } finally {
    await closeLater(raw);
  }
}

function join(groups: readonly number[], add: (group: number) => void): void {
  try {
    for (const group of groups) add(group);
  } catch (error) {
    throw lost(`a multicast group cannot be joined: ${messageOf(error)}`);
  }
}

/** Told how much was read; looks whether messages were dropped each time it was enough. */
function dropCheck(
  listener: KernelListener,
  drops: () => number,
  fail: (fault: unknown) => void,
): (read: number) => void {
  let unchecked = 0;
  let before = 0;
  const look = (): void => {
    try {
      const now = drops();
      if (now === before) return;
      listener.log.info({ missed: now - before }, 'kernel events were missed');
      before = now;
      listener.onGap(false);
    } catch (error) {
      fail(error);
    }
  };
  return (read) => {
    unchecked += read + MESSAGE_OVERHEAD;
    if (unchecked < READ_BETWEEN_CHECKS) return;
    unchecked = 0;
    setImmediate(look);
  };
}
