import { request, type IncomingMessage } from 'node:http';
import { abortFault, deadline, Fault, messageOf } from '../base/index.js';
import { parseJson, stringifyJson } from '../datastore/index.js';
import { fromWireFault, type WireFault } from './wire.js';

export interface Question {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly body?: unknown;
  /** A lost reply leaves it open whether it happened. */
  readonly writes?: boolean;
  /** Ten seconds unless told. */
  readonly boundMs?: number;
}

/** HTTP over the daemon's unix socket, one connection a request. */
export interface Channel {
  /** The text of the answer; the daemon's faults as they were there. */
  ask(question: Question, signal?: AbortSignal): Promise<string>;
  /** The answer as it comes, once its head is there. No bound but the signal. */
  open(question: Question, signal: AbortSignal): Promise<IncomingMessage>;
}

const CALL_MS = 10_000;

export function createChannel(path: string): Channel {
  function open(question: Question, signal: AbortSignal): Promise<IncomingMessage> {
    const body = question.body === undefined ? undefined : stringifyJson(question.body);
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(abortFault(signal, 'the request to the daemon'));
        return;
      }
      let connected = false;
      const { method, url } = question;
      const outgoing = request({
        socketPath: path,
        method,
        path: url,
        headers,
        agent: false,
        signal,
      });
      outgoing.on('socket', (socket) => socket.on('connect', () => (connected = true)));
      outgoing.on('response', resolve);
      outgoing.on('error', (error) => {
        reject(failure(path, error, connected && question.writes === true, signal));
      });
      outgoing.end(body);
    });
  }

  async function ask(question: Question, given?: AbortSignal): Promise<string> {
    const signal = deadline(question.boundMs ?? CALL_MS, given);
    const response = await open(question, signal);
    let text = '';
    try {
      response.setEncoding('utf8');
      for await (const chunk of response) text += String(chunk);
    } catch (error) {
      throw failure(path, error, question.writes === true, signal);
    }
    if (response.statusCode === 200) return text;
    throw faultIn(text, path);
  }

  return { ask, open };
}

/** Reads the fault out of an answer that is none. */
export function faultIn(text: string, path: string): Fault {
  const body = parseJson(text, `the answer from ${path}`) as { readonly fault?: WireFault } | null;
  if (body?.fault !== undefined) return fromWireFault(body.fault);
  return new Fault('internal', `what answers on ${path} is not this program's daemon`);
}

function failure(path: string, error: unknown, written: boolean, signal: AbortSignal): Fault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (written) {
    const why = signal.aborted ? 'no answer in time' : messageOf(error);
    const message = `the reply of the daemon at ${path} to a write was lost (${why}): it may or may not have happened`;
    return new Fault('outcome-unknown', message, { cause: error });
  }
  if (signal.aborted) return abortFault(signal, `the request to the daemon at ${path}`);
  if (code === 'EACCES' || code === 'EPERM') {
    const message = `the daemon's socket ${path} may be opened by its owner only: run this as root`;
    return new Fault('refused', message, { reason: 'permission', cause: error });
  }
  const why = code === 'ENOENT' ? 'there is no such socket' : messageOf(error);
  const message = `the daemon cannot be reached at ${path}: ${why}; is calico-libnetwork running?`;
  return new Fault('unavailable', message, { reason: 'no-daemon', cause: error });
}
