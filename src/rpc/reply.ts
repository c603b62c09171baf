import type { Fault, FaultKind } from '../base/index.js';

/** Which field carries an error in a 200 answer; the other spelling would count as success (plugin protocol §0.3). */
export type ErrorField = 'Err' | 'Error';

/** The field that the engine reads for this method. */
export function errorFieldOf(method: string): ErrorField {
  return method.startsWith('IpamDriver.') ? 'Error' : 'Err';
}

export const PLUGIN_MEDIA_TYPE = 'application/vnd.docker.plugins.v1.2+json';

export interface PluginReply {
  readonly status: number;
  readonly body: string;
}

const BAD_REQUEST: ReadonlySet<FaultKind> = new Set(['invalid', 'unsupported']);

/** What Docker shows behind prefixes of its own; what a request brought along may be megabytes. */
const MESSAGE_LIMIT = 1_000;

/** One line of bearable length; cut first, so that no input makes the search for line ends long. */
export function oneLine(message: string): string {
  const cut = message.length <= MESSAGE_LIMIT ? message : `${message.slice(0, MESSAGE_LIMIT)}…`;
  return cut.replaceAll(/\s*[\n\r\u2028\u2029]\s*/g, '; ');
}

/**
 * The network driver's errors go out as status 400 or 500 with `Err`; the IPAM driver's as 200 with
 * `Error`: both give Docker a readable message (plugin protocol §1.4). Always one line.
 */
export function errorReply(fault: Fault, field: ErrorField): PluginReply {
  const message = oneLine(fault.message);
  if (field === 'Error') return { status: 200, body: JSON.stringify({ Error: message }) };
  return {
    status: BAD_REQUEST.has(fault.kind) ? 400 : 500,
    body: JSON.stringify({ Err: message }),
  };
}

/** For answers that never reached a method: not 200, so `Err` serves both drivers. */
export function protocolErrorReply(status: number, message: string): PluginReply {
  return { status, body: JSON.stringify({ Err: oneLine(message) }) };
}
