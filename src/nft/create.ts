import { Fault, isFault } from '../base/fault.js';
import type { Log } from '../base/log.js';
import { openCommand } from './command.js';
import type { Engine } from './engine.js';
import { openLibrary } from './library.js';
import type { Nft } from './port.js';
import { SerialNft } from './serial.js';

export interface NftOptions {
  readonly log: Log;
  /** `library` unless told. `command` takes the program even where the library could be used. */
  readonly prefer?: 'library' | 'command';
}

/**
 * libnftables within the process or, where it cannot be used, the nft program at 3 ms a transaction
 * instead of 0.1. Works on the namespace that the process is in now. Throws `unavailable` when there
 * is neither.
 */
export async function createNft(options: NftOptions): Promise<Nft> {
  const { log, prefer = 'library' } = options;
  return new SerialNft(await openEngine(log, prefer), log);
}

async function openEngine(log: Log, prefer: 'library' | 'command'): Promise<Engine> {
  if (prefer === 'command') return openCommand();
  try {
    return await openLibrary();
  } catch (failure) {
    if (!isFault(failure, 'unavailable')) throw failure;
    try {
      const engine = await openCommand();
      log.warn(
        { err: failure },
        'libnftables cannot be used; each transaction runs the nft command',
      );
      return engine;
    } catch (error) {
      throw new Fault(
        'unavailable',
        'neither libnftables.so.1 nor the nft command is there; install nftables',
        {
          reason: 'no-nft',
          cause: error,
          details: { library: failure.message },
        },
      );
    }
  }
}
