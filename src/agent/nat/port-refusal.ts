import { Fault, messageOf } from '../../base/index.js';
import { publishedAt, type PublishedPort } from '../../model/index.js';
import { describeUser } from './port-user.js';

/** A port that cannot be had. Who has it is found out for the last of a range alone: that reads all of /proc. */
export class Refusal extends Error {
  readonly #port: PublishedPort;
  readonly #user: string | undefined;

  constructor(port: PublishedPort, cause: unknown, user?: string) {
    super(`port ${publishedAt(port)} cannot be had: ${user ?? messageOf(cause)}`, { cause });
    this.#port = port;
    this.#user = user;
  }

  async fault(): Promise<Fault> {
    return this.#user === undefined
      ? refusal(this.#port, this.cause)
      : inUse(this.#port, this.#user, this.cause);
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
