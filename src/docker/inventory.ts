import {
  backoff,
  deadline,
  Fault,
  messageOf,
  orAbort,
  sleep,
  toFault,
  type Clock,
  type Log,
} from '../base/index.js';
import { createCatalog, type Catalog, type InventoryListener } from './catalog.js';
import type { DockerEndpoint, DockerNetwork, EngineIdentity } from './engine-records.js';
import { connectEngine, type Engine } from './engine.js';
import { lookAt, type DockerLook } from './look.js';
import { followEngine, type Follower } from './follow.js';
import type { InventoryState, InventoryStatus } from './inventory-status.js';
import { isDriver, isOurs } from './ours.js';
import { failedStarts, type StoppedContainer } from './stopped-containers.js';

export interface DockerInventoryOptions {
  readonly socketPath: string;
  /** Names under which Docker knows our drivers; a managed plugin's `:latest` needs not be said. */
  readonly driverName: string;
  readonly ipamDriverName: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Docker's first list after each time that it was reached is in. */
  readonly onConnected?: () => void;
  /** Pauses between tries to connect, 250 ms to 10 s unless told. */
  readonly pauseMs?: { readonly first: number; readonly last: number };
}

/**
 * What Docker knows of our networks and their endpoints, kept fresh in the background. Nothing here calls
 * Docker on behalf of a caller except `look`, which must never be used inside a driver or IPAM call.
 */
export interface DockerInventory {
  /** The network's name if it is known now. */
  nameOf(networkId: string): string | undefined;
  /** Waits at most `ms` for the name; at once undefined while Docker is known not to answer. */
  waitFor(networkId: string, ms: number): Promise<string | undefined>;
  /** Networks that use our network driver or our IPAM driver. */
  networks(): readonly DockerNetwork[];
  endpoint(endpointId: string): DockerEndpoint | undefined;
  endpoints(): readonly DockerEndpoint[];
  /** Tells what is known at once, then every change; returns how to end it. */
  subscribe(listener: InventoryListener): () => void;
  /**
   * A fresh and whole look for the reconciler, by list and network inspect. Throws `unavailable` or
   * `timeout` when Docker did not answer every question of it.
   */
  look(signal: AbortSignal): Promise<DockerLook>;
  /**
   * Containers with a restart policy on networks of ours whose last start failed on a plugin, oldest first, without
   * those that a user stopped. Throws as `look` does.
   */
  failedStarts(signal: AbortSignal): Promise<StoppedContainer[]>;
  /** As `docker start`; Docker will call us meanwhile. Throws as `look` does. */
  startContainer(id: string, signal: AbortSignal): Promise<void>;
  /** What answers now, for what a user asks; throws `unavailable`. */
  engine(): Engine;
  /** Settles when the first list is in; rejects with the abort fault. */
  ready(signal: AbortSignal): Promise<void>;
  status(): InventoryStatus;
  /** Settles when the work has ended. */
  stop(): Promise<void>;
}

interface Work extends DockerInventoryOptions {
  readonly catalog: Catalog;
  readonly stopping: AbortSignal;
  readonly firstList: Promise<void>;
  readonly listed: () => void;
  follower: Follower | undefined;
  engine: Engine | undefined;
  identity: EngineIdentity | undefined;
  state: InventoryState;
  since: number;
  message: string | undefined;
  /** Time of the newest event, so that a new stream begins there. */
  lastEvent: string;
}

/** Starts the inventory; it goes on, with pauses, until the signal fires or `stop`. */
export function createDockerInventory(options: DockerInventoryOptions): DockerInventory {
  const ending = new AbortController();
  let listed: () => void = () => undefined;
  const firstList = new Promise<void>((resolve) => (listed = resolve));
  const work: Work = {
    ...options,
    catalog: createCatalog(),
    stopping: AbortSignal.any([options.signal, ending.signal]),
    firstList,
    listed,
    follower: undefined,
    engine: undefined,
    identity: undefined,
    state: 'starting',
    since: options.clock.now(),
    message: undefined,
    lastEvent: '',
  };
  const running = run(work);
  return {
    nameOf: (networkId) => work.catalog.nameOf(networkId),
    waitFor: (networkId, ms) => waitFor(work, networkId, ms),
    networks: () => work.catalog.networks(),
    endpoint: (endpointId) => work.catalog.endpoint(endpointId),
    endpoints: () => work.catalog.endpoints(),
    subscribe: (listener) => work.catalog.subscribe(listener),
    look: (signal) => look(work, signal),
    failedStarts: (signal) =>
      orAbort(
        failedStarts(engineOf(work), work.catalog.networks()),
        signal,
        'the list of containers',
      ),
    startContainer: (id, signal) =>
      orAbort(engineOf(work).startContainer(id), signal, `the start of ${id}`),
    engine: () => engineOf(work),
    ready: (signal) =>
      orAbort(firstList, AbortSignal.any([signal, work.stopping]), "Docker's first list"),
    status: () => statusOf(work),
    stop: async () => {
      ending.abort(
        new Fault('unavailable', 'the Docker inventory has stopped', { reason: 'stopped' }),
      );
      await running;
    },
  };
}

async function run(work: Work): Promise<void> {
  const { first, last } = work.pauseMs ?? { first: 250, last: 10_000 };
  let pauses = backoff(first, last);
  while (!work.stopping.aborted) {
    try {
      const engine = await connectEngine(work.socketPath, work.stopping);
      work.engine = engine;
      await follow(work, engine, () => {
        pauses = backoff(first, last);
      });
    } catch (error) {
      if (!work.stopping.aborted) tellUnreachable(work, error);
    }
    work.engine = undefined;
    work.follower = undefined;
    await sleep(pauses.next().value, work.stopping).catch((error: unknown) => {
      if (!work.stopping.aborted) throw error;
    });
  }
  change(work, 'stopped', undefined);
}

async function follow(work: Work, engine: Engine, onListed: () => void): Promise<void> {
  const follower = followEngine({
    engine,
    catalog: work.catalog,
    isOurs: (network) => isOurs(network, work.driverName, work.ipamDriverName),
    isOurDriver: (driver) => isDriver(driver, work.driverName),
    since: work.lastEvent || (work.clock.now() / 1000).toFixed(3),
    clock: work.clock,
    signal: work.stopping,
    onEvent: (time) => {
      work.lastEvent = time;
    },
    onListed: () => {
      work.identity = engine.identity;
      change(work, 'connected', undefined);
      work.log.info({ engine: engine.identity }, `Docker ${engine.identity.version} is watched`);
      work.listed();
      work.onConnected?.();
      onListed();
    },
  });
  work.follower = follower;
  await follower.ended;
}

function tellUnreachable(work: Work, error: unknown): void {
  const message = messageOf(error);
  const isNews = work.state !== 'unreachable' || work.message !== message;
  change(work, 'unreachable', message);
  if (isNews) work.log.warn({ reason: toFault(error).reason }, `${message}; goes on trying`);
}

function change(work: Work, state: InventoryState, message: string | undefined): void {
  if (work.state !== state) work.since = work.clock.now();
  work.state = state;
  work.message = message;
}

async function waitFor(work: Work, networkId: string, ms: number): Promise<string | undefined> {
  const known = work.catalog.nameOf(networkId);
  if (known !== undefined || ms <= 0 || work.state === 'unreachable' || work.state === 'stopped')
    return known;
  // Networks of a cluster store made on another host come without an event.
  work.follower?.askNetworks();
  let stop: () => void = () => undefined;
  const learnt = new Promise<string>((resolve) => {
    stop = work.catalog.subscribe({
      onNetwork: (event) => {
        if (event.type === 'learnt' && event.id === networkId) resolve(event.name);
      },
    });
  });
  const bound = deadline(ms, work.stopping);
  try {
    return await orAbort(learnt, bound, `the name of network ${networkId}`);
  } catch (error) {
    // The bound is the expected end; the caller has its own name for a network without one.
    if (bound.aborted) return work.catalog.nameOf(networkId);
    throw error;
  } finally {
    stop();
  }
}

function engineOf({ engine, state, message }: Work): Engine {
  if (engine !== undefined && state === 'connected') return engine;
  const why = message ?? 'it has not answered yet';
  throw new Fault('unavailable', `Docker cannot be asked: ${why}`, {
    reason: 'docker-unreachable',
  });
}

async function look(work: Work, signal: AbortSignal): Promise<DockerLook> {
  const engine = engineOf(work);
  const ours = (network: DockerNetwork): boolean =>
    isOurs(network, work.driverName, work.ipamDriverName);
  return orAbort(
    lookAt(engine, ours),
    AbortSignal.any([signal, work.stopping]),
    'the look at Docker',
  );
}

function statusOf({ state, since, identity, message, catalog }: Work): InventoryStatus {
  return {
    state,
    since,
    ...(identity === undefined ? {} : { engine: identity }),
    ...(message === undefined ? {} : { message }),
    networks: catalog.networks().length,
    endpoints: catalog.endpoints().length,
  };
}
