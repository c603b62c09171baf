import { connect } from 'node:net';
import { unlink } from 'node:fs/promises';
import { Fault } from './fault.js';

/**
 * Makes room for a listening socket at `path`: a file that nobody listens on is removed, a live one
 * is refused, because a second daemon must not take the first one's place.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const state = await probe(path);
  if (state === 'live') {
    throw new Fault(
      'refused',
      `${path} is in use: another daemon listens on it; stop that one first`,
      { reason: 'second-daemon' },
    );
  }
  if (state === 'stale') await unlink(path);
}

function probe(path: string): Promise<'absent' | 'stale' | 'live'> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(2_000);
    socket.once('connect', () => {
      socket.destroy();
      resolve('live');
    });
    // A listener whose backlog is full does not answer, but it is there.
    socket.once('timeout', () => {
      socket.destroy();
      resolve('live');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve('absent');
      else if (error.code === 'ECONNREFUSED') resolve('stale');
      else if (error.code === 'EAGAIN') resolve('live');
      else
        reject(
          new Fault(
            'refused',
            `${path} cannot be used as a socket: ${error.code ?? error.message}`,
            { cause: error },
          ),
        );
    });
  });
}
