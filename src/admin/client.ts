import { parseJson, type Store } from '../datastore/index.js';
import { createChannel } from './channel.js';
import type {
  AddContainerAnswer,
  AddContainerRequest,
  RemoveContainerAnswer,
  RemoveContainerRequest,
} from './containers.js';
import type { CountersAnswer, CountersRequest, FlowsAnswer } from './host-insight.js';
import { createRemoteStore } from './remote-store.js';

/** Docker calls the daemon for it, several times. */
const CHANGE = { writes: true, boundMs: 120_000 } as const;

interface AskOptions {
  readonly signal?: AbortSignal;
}

export interface AdminClient {
  /** What the daemon's `status` returned. `unavailable` when no daemon listens. */
  status(options?: AskOptions): Promise<unknown>;
  /** What the rules of an endpoint have counted. */
  counters(endpoint: CountersRequest, options?: AskOptions): Promise<CountersAnswer>;
  /** The connections of this host's containers. */
  flows(options?: AskOptions): Promise<FlowsAnswer>;
  /** Attaches a container, or takes it off again. */
  addContainer(request: AddContainerRequest, options?: AskOptions): Promise<AddContainerAnswer>;
  removeContainer(
    request: RemoveContainerRequest,
    options?: AskOptions,
  ): Promise<RemoveContainerAnswer>;
  /** The daemon's embedded store. `hold` is `unsupported`. */
  openStore(): Store;
}

/** Connects anew for every call; nothing to close but stores. */
export function createAdminClient(path: string): AdminClient {
  const channel = createChannel(path);
  return {
    status: async (options) => {
      const text = await channel.ask({ method: 'GET', url: '/status' }, options?.signal);
      return parseJson(text, `the status from ${path}`);
    },
    counters: async (body, options) => {
      const question = { method: 'POST', url: '/policy/counters', body } as const;
      const text = await channel.ask(question, options?.signal);
      return parseJson(text, `the counters from ${path}`) as CountersAnswer;
    },
    flows: async (options) => {
      const text = await channel.ask({ method: 'GET', url: '/flows' }, options?.signal);
      return parseJson(text, `the connections from ${path}`) as FlowsAnswer;
    },
    addContainer: async (body, options) => {
      const question = { method: 'POST', url: '/containers/add', body, ...CHANGE } as const;
      const text = await channel.ask(question, options?.signal);
      return parseJson(text, `the answer from ${path}`) as AddContainerAnswer;
    },
    removeContainer: async (body, options) => {
      const question = { method: 'POST', url: '/containers/remove', body, ...CHANGE } as const;
      const text = await channel.ask(question, options?.signal);
      return parseJson(text, `the answer from ${path}`) as RemoveContainerAnswer;
    },
    openStore: () => createRemoteStore(channel, path),
  };
}
