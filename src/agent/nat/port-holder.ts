import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { Fault, messageOf, type Log } from '../../base/index.js';
import {
  publishedAt,
  type Address,
  type PortBinding,
  type PublishedPort,
} from '../../model/index.js';
import { describeUser } from './port-user.js';

interface Held {
  close(): void;
}

/** Free ports that are tried for one that any will do: another family may have it taken. */
const TRIES = 20;

/**
 * Holds published ports by sockets that nobody speaks to, so that no other program takes one whose traffic goes to a
 * container: what arrives there was not translated, and is refused.
 */
export class PortHolder {
  readonly #log: Log;
  /** By endpoint and `publishedAt`. */
  readonly #held = new Map<string, Map<string, Held>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * One port of the host for each binding and family of the container; all or none. Faults: `exists` for one in use, which
   * names who has it; `invalid` for an address that is not this host's.
   */
  async reserve(
    id: string,
    bindings: readonly PortBinding[],
    addresses: readonly Address[],
  ): Promise<readonly PublishedPort[]> {
    // Of an earlier call, whose answer was lost.
    this.keep(id, []);
    const done: PublishedPort[] = [];
    try {
      for (const binding of bindings)
        done.push(...(await this.#reserveOne(id, binding, addresses)));
      return done;
    } catch (error) {
      this.keep(id, []);
      throw error;
    }
  }

  /** The endpoint holds these and no others. Those of before this process are held again; what fails is logged. */
  keep(id: string, ports: readonly PublishedPort[]): void {
    const held = this.#held.get(id) ?? new Map<string, Held>();
    const wanted = new Map(ports.map((port) => [publishedAt(port), port]));
    for (const [at, socket] of held) {
      if (wanted.has(at)) continue;
      socket.close();
      held.delete(at);
    }
    if (held.size === 0 && wanted.size === 0) {
      this.#held.delete(id);
      return;
    }
    this.#held.set(id, held);
    for (const [at, port] of wanted) {
      if (held.has(at)) continue;
      this.#hold(id, port).catch((error: unknown) => {
        this.#log.warn(
          { EndpointID: id, port: at, reason: messageOf(error) },
          'a published port leads to its container, but another program could take it',
        );
      });
    }
  }

  close(): void {
    for (const id of [...this.#held.keys()]) this.keep(id, []);
  }

  async #reserveOne(
    id: string,
    binding: PortBinding,
    addresses: readonly Address[],
  ): Promise<readonly PublishedPort[]> {
    const { protocol, port, hostAddress, hostPort, hostPortEnd } = binding;
    const six = hostAddress.includes(':');
    const own = addresses.filter(({ family }) => hostAddress === '' || (family === 6) === six);
    if (own.length === 0) {
      throw new Fault(
        'invalid',
        `a port of ${hostAddress} cannot be published: the container has no IPv${six ? 6 : 4} address`,
        { reason: 'no-address' },
      );
    }
    const choices =
      hostPort === 0
        ? Array.from({ length: TRIES }, () => 0)
        : Array.from({ length: hostPortEnd - hostPort + 1 }, (_, at) => hostPort + at);
    let refusal: unknown;
    for (const choice of choices) {
      const done: PublishedPort[] = [];
      try {
        for (const address of own) {
          const wanted = done[0]?.hostPort ?? choice;
          const at = { protocol, hostAddress, hostPort: wanted, address: String(address), port };
          done.push(await this.#hold(id, at));
        }
        return done;
      } catch (error) {
        for (const one of done) this.#release(id, publishedAt(one));
        refusal = error;
      }
    }
    throw refusal;
  }

  /** With the port that was found, when any will do. */
  async #hold(id: string, port: PublishedPort): Promise<PublishedPort> {
    const own = this.#ownerOf(port);
    if (own !== undefined) throw inUse(port, `endpoint ${own.slice(0, 12)}`);
    const found = await bind(port).catch(async (error: unknown) => {
      throw await refusal(port, error);
    });
    const chosen = { ...port, hostPort: found.port };
    const held = this.#held.get(id) ?? new Map<string, Held>();
    this.#held.set(id, held.set(publishedAt(chosen), found));
    return chosen;
  }

  #release(id: string, at: string): void {
    const held = this.#held.get(id);
    held?.get(at)?.close();
    held?.delete(at);
    if (held?.size === 0) this.#held.delete(id);
  }

  /** Another endpoint of ours that has this very port; sockets tell of all others. */
  #ownerOf(port: PublishedPort): string | undefined {
    const at = publishedAt(port);
    return [...this.#held].find(([, held]) => held.has(at))?.[0];
  }
}

function inUse(port: PublishedPort, user: string | undefined, cause?: unknown): Fault {
  const by = user === undefined ? '' : ` by ${user}`;
  return new Fault(
    'exists',
    `port ${publishedAt(port)} of this host is in use${by}; publish another one, or end what has it`,
    { reason: 'port-in-use', cause },
  );
}

async function refusal(port: PublishedPort, error: unknown): Promise<Fault> {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') return inUse(port, await describeUser(port), error);
  const why = code === 'EADDRNOTAVAIL' ? 'this host has no such address' : messageOf(error);
  return new Fault('invalid', `port ${publishedAt(port)} cannot be published: ${why}`, {
    reason: 'port-unusable',
    cause: error,
  });
}

type Bound = Held & { readonly port: number };

async function bind({ protocol, hostAddress, hostPort, address }: PublishedPort): Promise<Bound> {
  const six = address.includes(':');
  const host = hostAddress === '' ? (six ? '::' : '0.0.0.0') : hostAddress;
  if (protocol === 'tcp') return bindTcp(host, hostPort, six);
  if (protocol === 'udp') return bindUdp(host, hostPort, six);
  // Node has no sockets of SCTP: two containers are kept apart by the table, other programs are not.
  if (hostPort === 0) throw new Error('name the port: a free one of SCTP cannot be found');
  return { port: hostPort, close: () => undefined };
}

function bindTcp(host: string, port: number, six: boolean): Promise<Bound> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    // Stays: one that comes later has nobody else to hear it.
    server.on('error', reject);
    server.listen({ host, port, exclusive: true, ipv6Only: six }, () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new Error('a socket without address');
      server.unref();
      resolve({ port: bound.port, close: () => void server.close() });
    });
  });
}

function bindUdp(host: string, port: number, six: boolean): Promise<Bound> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six });
    let closed = false;
    const close = (): void => {
      if (!closed) socket.close();
      closed = true;
    };
    socket.on('error', (error) => {
      close();
      reject(error);
    });
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.unref();
      resolve({ port: socket.address().port, close });
    });
  });
}
