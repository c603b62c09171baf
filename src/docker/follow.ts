import { Fault, sleep, type Clock } from '../base/index.js';
import type { Catalog } from './catalog.js';
import type { DockerEvent, DockerNetwork } from './engine-records.js';
import type { Engine } from './engine.js';

export interface FollowOptions {
  readonly engine: Engine;
  readonly catalog: Catalog;
  readonly isOurs: (network: DockerNetwork) => boolean;
  readonly isOurDriver: (driver: string) => boolean;
  /** Time from which events are wanted. */
  readonly since: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onEvent: (time: string) => void;
  /** The first full list is in the catalog. */
  readonly onListed: () => void;
}

export interface Follower {
  /** Asks for the network list again, soon. */
  askNetworks(): void;
  /** Rejects when the engine no longer answers, with the reason; resolves when called off. */
  readonly ended: Promise<void>;
}

/** One list serves all events of this time: 200 containers that start together cost a few lists. */
const COALESCE_MS = 30;
const PING_EVERY_MS = 15_000;
/** Everything is listed again this often, events or not. */
const RELIST_MS = 300_000;
/**
 * `connect` is told in the midst of a start, long before the container list shows the endpoint (also of a live
 * connect, M20). A list then would only take Docker's time, so that it waits for `start`, or this long; it is asked
 * again, at growing distances, until it shows the endpoint.
 */
const FIRST_AGAIN_MS = 300;
const LAST_AGAIN_MS = 1_000;
const EXPECT_MS = 10_000;

interface Session extends FollowOptions {
  readonly over: AbortSignal;
  networksDirty: boolean;
  endpointsDirty: boolean;
  /** A list is under way: it may show what has ended meanwhile. */
  listing: boolean;
  wake: () => void;
  /** `container/network` of connects that no list has shown yet, and until when to ask (monotonic). */
  readonly expected: Map<string, number>;
  againMs: number;
}

/**
 * Follows one engine: opens the event stream, lists everything, then lists again what events touch. Events
 * say only that something changed; what it is comes from lists, which are safe while containers start.
 */
export function followEngine(options: FollowOptions): Follower {
  const ending = new AbortController();
  const session: Session = {
    ...options,
    over: AbortSignal.any([options.signal, ending.signal]),
    networksDirty: true,
    endpointsDirty: true,
    listing: false,
    wake: () => undefined,
    expected: new Map(),
    againMs: FIRST_AGAIN_MS,
  };
  const ended = runAll(session).finally(() => ending.abort());
  return {
    askNetworks: () => mark(session, 'networks'),
    ended,
  };
}

async function runAll(session: Session): Promise<void> {
  const { engine, over, since, signal } = session;
  try {
    // The stream first: what changes while the lists are made is told afterwards.
    const events = await engine.events(since, over);
    await list(session);
    session.onListed();
    await Promise.race([readEvents(session, events), relistForever(session), pingForever(session)]);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function readEvents(session: Session, events: AsyncIterable<DockerEvent>): Promise<void> {
  try {
    for await (const event of events) {
      if (event.time !== '') session.onEvent(event.time);
      take(session, event);
    }
  } catch (error) {
    if (session.over.aborted) return;
    throw new Fault('unavailable', 'the event stream of Docker broke', {
      reason: 'stream-broken',
      cause: error,
    });
  }
  if (session.over.aborted) return;
  throw new Fault('unavailable', 'Docker ended the event stream', { reason: 'stream-ended' });
}

function take(session: Session, event: DockerEvent): void {
  const { catalog } = session;
  if (event.type === 'container') {
    // Others of these events change nothing that the lists show.
    if (event.action === 'start' || event.action === 'rename') mark(session, 'endpoints');
    return;
  }
  const { name = '', type = '', container = '' } = event.attributes;
  const isKnown = catalog.nameOf(event.id) !== undefined;
  switch (event.action) {
    case 'create':
      if (session.isOurDriver(type)) catalog.learnName(event.id, name);
      mark(session, 'networks');
      return;
    case 'destroy':
    case 'remove':
      catalog.forget(event.id);
      return;
    case 'connect':
      if (!isKnown && !session.isOurDriver(type)) return;
      // Networks of a cluster store made on another host come without an event of their own.
      if (!isKnown) mark(session, 'networks');
      session.expected.set(`${container}/${event.id}`, session.clock.monotonic() + EXPECT_MS);
      session.againMs = FIRST_AGAIN_MS;
      session.wake();
      return;
    case 'disconnect':
      session.expected.delete(`${container}/${event.id}`);
      catalog.disconnect(container, event.id);
      if (isKnown && session.listing) mark(session, 'endpoints');
      return;
  }
}

function mark(session: Session, what: 'networks' | 'endpoints'): void {
  if (what === 'networks') session.networksDirty = true;
  else session.endpointsDirty = true;
  session.wake();
}

async function relistForever(session: Session): Promise<void> {
  while (!session.over.aborted) {
    const asked = await nextWish(session, session.expected.size > 0 ? session.againMs : RELIST_MS);
    if (session.over.aborted) return;
    // Only how long to wait has changed.
    if (asked && !session.networksDirty && !session.endpointsDirty) continue;
    if (asked) await sleep(COALESCE_MS, session.over);
    else if (session.expected.size > 0)
      session.againMs = Math.min(session.againMs * 2, LAST_AGAIN_MS);
    else session.networksDirty = true;
    await list(session);
  }
}

/** True when something was marked, false when the time passed. */
async function nextWish(session: Session, ms: number): Promise<boolean> {
  if (session.networksDirty || session.endpointsDirty) return true;
  const woken = new AbortController();
  session.wake = () => woken.abort();
  try {
    await sleep(ms, AbortSignal.any([woken.signal, session.over]));
    return false;
  } catch (error) {
    if (woken.signal.aborted || session.over.aborted) return true;
    throw error;
  } finally {
    session.wake = () => undefined;
  }
}

/** Networks when marked, endpoints always. */
async function list(session: Session): Promise<void> {
  session.listing = true;
  try {
    await listNow(session);
  } finally {
    session.listing = false;
  }
}

async function listNow(session: Session): Promise<void> {
  const { engine, catalog } = session;
  session.endpointsDirty = false;
  if (session.networksDirty) {
    session.networksDirty = false;
    const mark = catalog.mark();
    const networks = await engine.networks();
    // A session that is over must not write over what its successor learnt.
    if (session.over.aborted) return;
    catalog.putNetworks(networks.filter(session.isOurs), mark);
  }
  const endpoints = await engine.endpoints(catalog.networks().map((network) => network.id));
  if (session.over.aborted) return;
  catalog.putEndpoints(endpoints);
  const now = session.clock.monotonic();
  for (const { containerId, networkId } of catalog.endpoints()) {
    session.expected.delete(`${containerId}/${networkId}`);
  }
  for (const [key, until] of session.expected) if (until < now) session.expected.delete(key);
}

async function pingForever(session: Session): Promise<void> {
  while (!session.over.aborted) {
    await sleep(PING_EVERY_MS, session.over);
    await session.engine.ping();
  }
}
