import type { IncomingMessage } from 'node:http';
import { abortFault, Fault, messageOf, toFault } from '../base/index.js';
import {
  checkKey,
  checkTransaction,
  parseJson,
  type CallOptions,
  type Store,
  type Watch,
  type WatchOptions,
} from '../datastore/index.js';
import { faultIn, type Channel, type Question } from './channel.js';
import {
  fromWireChange,
  fromWireCommit,
  fromWireEntry,
  fromWireFault,
  fromWirePairs,
  fromWireSnapshot,
  HEARTBEAT_MS,
  toCommitRequest,
  type WatchLine,
  type WireCommit,
  type WireEntry,
  type WireIdentity,
  type WirePairs,
  type WireSnapshot,
} from './wire.js';

/** The daemon's embedded store through its socket. */
export function createRemoteStore(channel: Channel, path: string): Store {
  const closing = new AbortController();

  async function ask<T>(question: Question, options: CallOptions | undefined): Promise<T> {
    if (closing.signal.aborted) throw abortFault(closing.signal);
    const signals = [closing.signal, options?.signal].filter((signal) => signal !== undefined);
    const text = await channel.ask(question, AbortSignal.any(signals));
    return parseJson(text, `the answer from ${path}`) as T;
  }

  const post = <T>(url: string, body: unknown, options: CallOptions | undefined): Promise<T> =>
    ask({ method: 'POST', url, body, writes: url === '/store/commit' }, options);

  return {
    type: 'embedded',
    description: path,
    get: async (key, options) => {
      checkKey(key);
      const { entry } = await post<{ entry: WireEntry | null }>('/store/get', { key }, options);
      return entry === null ? undefined : fromWireEntry(entry);
    },
    getMany: async (keys, options) => {
      keys.forEach(checkKey);
      const reply = await post<{ entries: WirePairs }>('/store/get-many', { keys }, options);
      return fromWirePairs(reply.entries);
    },
    list: async (prefix, options) => {
      const prefixes = typeof prefix === 'string' ? [prefix] : prefix;
      return fromWireSnapshot(await post<WireSnapshot>('/store/list', { prefixes }, options));
    },
    commit: async (transaction, options) => {
      checkTransaction(transaction);
      const body = toCommitRequest(transaction);
      return fromWireCommit(await post<WireCommit>('/store/commit', body, options));
    },
    watch: (options) => openWatch(channel, path, options, closing.signal),
    hold: async () => {
      const message = 'a key can be held by the daemon only, not through its socket';
      throw new Fault('unsupported', message);
    },
    identify: async (options) => {
      const question: Question = { method: 'GET', url: '/store/identity' };
      const { id, revision } = await ask<WireIdentity>(question, options);
      return { id, revision: BigInt(revision) };
    },
    close: async () => {
      const message = `the connection to the daemon at ${path} was closed`;
      closing.abort(new Fault('unavailable', message, { reason: 'stopped' }));
    },
  };
}

/** A daemon that is silent for this long is gone or frozen. */
const SILENCE_MS = 4 * HEARTBEAT_MS;

function openWatch(
  channel: Channel,
  path: string,
  options: WatchOptions,
  closed: AbortSignal,
): Watch {
  const stopping = new AbortController();

  function lose(reason: Fault): void {
    if (stopping.signal.aborted) return;
    stopping.abort();
    try {
      options.onLost(reason);
    } catch {
      // The listener of a lost watch failed: there is nobody left to tell.
    }
  }

  function onLine(text: string): void {
    if (text === '' || stopping.signal.aborted) return;
    const line = parseJson(text, `a change from ${path}`) as WatchLine;
    if ('lost' in line) {
      lose(fromWireFault(line.lost));
      return;
    }
    try {
      options.onChanges(line.changes.map(fromWireChange));
    } catch (error) {
      lose(new Fault('internal', `a listener failed: ${messageOf(error)}`, { cause: error }));
    }
  }

  async function run(): Promise<void> {
    const body = { prefixes: options.prefixes, from: options.from.toString() };
    const question: Question = { method: 'POST', url: '/store/watch', body };
    const response = await channel.open(question, AbortSignal.any([stopping.signal, closed]));
    if (response.statusCode !== 200) throw faultIn(await textOf(response), path);
    response.socket.setTimeout(SILENCE_MS, () => response.destroy(new Error('no sign of life')));
    for await (const line of linesOf(response)) onLine(line);
    throw new Fault('unavailable', `the daemon at ${path} ended the watch`, { reason: 'cut-off' });
  }

  run().catch((error: unknown) => {
    if (closed.aborted) lose(abortFault(closed));
    else if (error instanceof Fault) lose(error);
    else
      lose(
        new Fault('unavailable', `the watch at ${path} was lost: ${messageOf(error)}`, {
          cause: toFault(error),
        }),
      );
  });
  return { close: () => stopping.abort() };
}

/** Split at line feeds only: `readline` splits at U+2028 too, which JSON leaves in strings. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}
