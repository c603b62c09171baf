import { Fault, messageOf, within } from '../base/index.js';
import { objectOf, textOf } from './engine-records.js';

export interface Request {
  readonly path: string;
  /** `GET` unless told. */
  readonly method?: 'GET' | 'POST';
  readonly query?: Readonly<Record<string, string>>;
  /** Of a POST. */
  readonly body?: object;
  readonly stream?: boolean;
  readonly signal: AbortSignal;
}
export type Dial = (request: Request) => Promise<unknown>;
export type Read = (path: string, query?: Readonly<Record<string, string>>) => Promise<unknown>;

/**
 * What a user could ask of Docker, too; it calls us meanwhile. Throws `refused` with Docker's words when it does not do
 * it.
 */
export interface Changes {
  createNetwork(body: object): Promise<void>;
  connect(network: string, containerId: string, endpoint: object): Promise<void>;
  /** `force`: also what only Docker's books say. */
  disconnect(network: string, containerId: string, force?: boolean): Promise<void>;
}

export function changes(dial: Dial, boundMs: number, signal: AbortSignal): Changes {
  const post = async (path: string, body: object): Promise<void> => {
    try {
      await within(boundMs, [signal], (bound) =>
        dial({ path, method: 'POST', body, signal: bound }),
      );
    } catch (error) {
      if (!(error instanceof Fault) || !error.reason?.startsWith('http-')) throw error;
      throw new Fault('refused', `Docker refuses: ${wordsOf(error.cause)}`, {
        reason: 'docker-refused',
        cause: error,
      });
    }
  };
  const at = (network: string): string => `/networks/${encodeURIComponent(network)}`;
  return {
    createNetwork: (body) => post('/networks/create', body),
    connect: (network, Container, EndpointConfig) =>
      post(`${at(network)}/connect`, { Container, EndpointConfig }),
    disconnect: (network, Container, Force = false) =>
      post(`${at(network)}/disconnect`, { Container, Force }),
  };
}

/** docker-modem puts its own words before those of Docker. */
function wordsOf(error: unknown): string {
  const json = error instanceof Error && 'json' in error ? objectOf(error.json) : {};
  return textOf(json['message']) || messageOf(error);
}

/** The text of one container; `not-found` when there is none. */
export async function inspect(read: Read, word: string): Promise<unknown> {
  const body = await orUndefined(read(`/containers/${encodeURIComponent(word)}/json`));
  if (body !== undefined) return body;
  const message = `no container of this host is called ${word.slice(0, 80)}; docker ps -a lists all`;
  throw new Fault('not-found', message, { reason: 'no-such-container' });
}

/** Undefined when it is gone meanwhile. */
export async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Fault && error.reason === 'http-404') return undefined;
    throw error;
  }
}
