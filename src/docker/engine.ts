import type { Readable } from 'node:stream';
import { abortFault, deadline, Fault, messageOf, orAbort, within } from '../base/index.js';
import {
  objectOf,
  readAttachments,
  readEndpoints,
  readEvent,
  readNetworks,
  textOf,
  readContainer,
  type DockerAttachment,
  type DockerContainer,
  type DockerEndpoint,
  type DockerEvent,
  type DockerNetwork,
  type EngineIdentity,
} from './engine-records.js';
import {
  changes,
  inspect,
  orUndefined,
  type Changes,
  type Dial,
  type Read,
} from './engine-changes.js';
import { readStoppedContainer, type StoppedContainer } from './stopped-containers.js';

/** One Docker engine's API, as far as the inventory reads it. Every call is bounded by `CALL_MS`. */
export interface Engine extends Changes {
  readonly identity: EngineIdentity;
  /** Docker's folder, where its own records of containers are. */
  readonly dataRoot: string;
  ping(): Promise<void>;
  networks(): Promise<DockerNetwork[]>;
  /** Endpoints of live containers on these networks. */
  endpoints(networkIds: readonly string[]): Promise<DockerEndpoint[]>;
  /** Undefined when the network is gone. */
  attachments(networkId: string): Promise<DockerAttachment[] | undefined>;
  /** Every container that does not run, in no order. */
  stoppedContainers(): Promise<StoppedContainer[]>;
  /** As `docker start`, bounded by `START_MS`; success when it runs already. */
  startContainer(id: string): Promise<void>;
  /** By name or the beginning of its id; `not-found` when there is none. */
  container(word: string): Promise<DockerContainer>;
  /** Events since that time, without end; settles when the stream is open. */
  events(since: string, signal: AbortSignal): Promise<AsyncIterable<DockerEvent>>;
}

const CALL_MS = 10_000;
/** A start waits for each of its calls to us, at boot for up to two minutes each. */
const START_MS = 300_000;
/** dockerd accepts connections long before it answers (protocol §1.6): this long one try waits. */
const PING_MS = 2_000;
/** Newest API this program was written against; the engine's own maximum when that is lower. */
const NEWEST_API = '1.51';
const MAX_LINE = 1024 * 1024;
const EVENTS = {
  type: ['network', 'container'],
  event: ['create', 'destroy', 'remove', 'connect', 'disconnect', 'start', 'rename'],
};

/**
 * Waits for the engine to answer and negotiates the API version. Faults: `unavailable` (socket absent, refused,
 * an HTTP error with its text), `timeout`. dockerode is loaded here, on demand.
 */
export async function connectEngine(socketPath: string, signal: AbortSignal): Promise<Engine> {
  const plain = await dialer(socketPath, undefined);
  await plain({ path: '/_ping', signal: deadline(PING_MS, signal) });
  const about = objectOf(await plain({ path: '/version', signal: deadline(CALL_MS, signal) }));
  const apiVersion = negotiate(textOf(about['ApiVersion']), textOf(about['MinAPIVersion']));
  const dial = await dialer(socketPath, `v${apiVersion}`);
  const info = objectOf(await dial({ path: '/info', signal: deadline(CALL_MS, signal) }));
  const identity = { id: textOf(info['ID']), version: textOf(about['Version']), apiVersion };
  if (identity.id === '') {
    throw new Fault('unavailable', `${socketPath} answers, but not as a Docker engine`, {
      reason: 'no-engine',
    });
  }
  return engineOver(dial, identity, textOf(info['DockerRootDir']), signal);
}

function engineOver(
  dial: Dial,
  identity: EngineIdentity,
  dataRoot: string,
  signal: AbortSignal,
): Engine {
  const read: Read = (path, query) =>
    within(CALL_MS, [signal], (bound) =>
      dial({ path, signal: bound, ...(query === undefined ? {} : { query }) }),
    );
  return {
    identity,
    dataRoot,
    stoppedContainers: () => listStopped(read),
    startContainer: async (id) => {
      const path = `/containers/${id}/start`;
      await within(START_MS, [signal], (bound) => dial({ path, method: 'POST', signal: bound }));
    },
    container: async (word) => readContainer(await inspect(read, word)),
    ...changes(dial, START_MS, signal),
    ping: async () => {
      await dial({ path: '/_ping', signal: deadline(PING_MS, signal) });
    },
    networks: async () => readNetworks(await read('/networks')),
    endpoints: async (networkIds) => {
      if (networkIds.length === 0) return [];
      const filters = JSON.stringify({ network: networkIds });
      return readEndpoints(await read('/containers/json', { all: '1', filters }));
    },
    attachments: async (networkId) => {
      const body = await orUndefined(read(`/networks/${networkId}`));
      return body === undefined ? undefined : readAttachments(body);
    },
    events: async (since, until) => {
      const query = { since, filters: JSON.stringify(EVENTS) };
      const opening = new AbortController();
      const both = AbortSignal.any([until, opening.signal]);
      const request = dial({ path: '/events', query, stream: true, signal: both });
      try {
        return linesOf((await orAbort(request, deadline(CALL_MS, until), '/events')) as Readable);
      } catch (error) {
        opening.abort();
        throw error;
      }
    },
  };
}

async function listStopped(read: Read): Promise<StoppedContainer[]> {
  const filters = JSON.stringify({ status: ['created', 'exited', 'dead'] });
  const listed = await read('/containers/json', { all: '1', filters });
  const found: StoppedContainer[] = [];
  for (const entry of Array.isArray(listed) ? listed : []) {
    const body = await orUndefined(read(`/containers/${textOf(objectOf(entry)['Id'])}/json`));
    const container = readStoppedContainer(body);
    if (container !== undefined) found.push(container);
  }
  return found;
}

/** The highest version that both sides speak; the engine's minimum when it is newer than this program. */
export function negotiate(highest: string, lowest: string): string {
  const number = (version: string): number => Number(version.split('.')[1] ?? '0');
  if (!/^1\.\d+$/.test(highest)) return NEWEST_API;
  if (number(highest) < number(NEWEST_API)) return highest;
  return number(lowest) > number(NEWEST_API) ? lowest : NEWEST_API;
}

/** docker-modem's request function as a promise that settles with the signal. */
async function dialer(socketPath: string, version: string | undefined): Promise<Dial> {
  const { default: Docker } = await import('dockerode');
  // An empty host and a protocol keep DOCKER_HOST and DOCKER_CERT_PATH out.
  const docker = new Docker({
    socketPath,
    host: '',
    protocol: 'http',
    ...(version ? { version } : {}),
  });
  const modem = docker.modem as Modem;
  return async ({ path, method = 'GET', query = {}, body, stream = false, signal }) => {
    const answer = new Promise<unknown>((resolve, reject) => {
      const request = {
        path: `${path}?`,
        method,
        // What stands here would become the body of a POST, which Docker refuses.
        ...(method === 'GET' ? { options: { _query: query } } : {}),
        ...(body === undefined ? {} : { options: body }),
        statusCodes: { 200: true, 201: true, 204: true, 304: true },
        isStream: stream,
        abortSignal: signal,
      };
      modem.dial(request, (error, answered) => {
        if (error === null || error === undefined) resolve(answered);
        else reject(dialFault(path, socketPath, error, signal));
      });
    });
    return orAbort(answer, signal, `Docker's ${path}`);
  };
}

/** docker-modem has no types of its own. */
interface Modem {
  dial(request: object, done: (error: Error | null | undefined, body: unknown) => void): void;
}

function dialFault(path: string, socketPath: string, error: Error, signal: AbortSignal): Fault {
  if (signal.aborted) return abortFault(signal, `Docker's ${path}`);
  const status = 'statusCode' in error ? `http-${String(error.statusCode)}` : 'no-connection';
  const message = `Docker at ${socketPath} does not answer ${path}: ${messageOf(error)}; is dockerd running?`;
  return new Fault('unavailable', message, { reason: status, cause: error });
}

async function* linesOf(stream: Readable): AsyncIterable<DockerEvent> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) {
      throw new Fault('corrupt', `an event of Docker is longer than ${MAX_LINE} bytes`, {
        reason: 'long-event',
      });
    }
    for (const line of lines) {
      const event = readEvent(line);
      if (event !== undefined) yield event;
    }
  }
}
