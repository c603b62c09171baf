import type { ServerResponse } from 'node:http';
import type { Store } from '../datastore/index.js';
import type { WatchRequest } from './schema.js';
import { HEARTBEAT_MS, toWireChange, toWireFault, type WatchLine } from './wire.js';

/** A reader that lets this much pile up is cut off; it reads everything again when it wants. */
const MAX_BACKLOG_BYTES = 32 * 1024 * 1024;

/** Answers with one line of JSON for each call of the watch's listener, until either side ends it. */
export function streamWatch(store: Store, request: WatchRequest, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  const send = (line: WatchLine): void => {
    response.write(`${JSON.stringify(line)}\n`);
    if (response.writableLength > MAX_BACKLOG_BYTES) response.destroy();
  };
  const heartbeat = setInterval(() => response.write('\n'), HEARTBEAT_MS);
  const watch = store.watch({
    prefixes: request.prefixes,
    from: BigInt(request.from),
    onChanges: (changes) => send({ changes: changes.map(toWireChange) }),
    onLost: (reason) => {
      send({ lost: toWireFault(reason) });
      response.end();
    },
  });
  response.on('close', () => {
    clearInterval(heartbeat);
    watch.close();
  });
}
