import { setImmediate as nextTurn } from 'node:timers/promises';
import { abortFault, Fault, messageOf, type Log } from '../../base/index.js';
import {
  publishedAt,
  type Address,
  type PortBinding,
  type PublishedPort,
} from '../../model/index.js';
import { bind, type Bound } from './bind-port.js';
import { choicesOf } from './port-choices.js';
import { Refusal } from './port-refusal.js';

type Held = Pick<Bound, 'close'> & { readonly port: PublishedPort };

/** One reservation under way: what it took, and whether somebody still wants it. */
interface Turn {
  readonly id: string;
  readonly signal: AbortSignal | undefined;
  /** Made by it. */
  readonly fresh: string[];
  /** In its answer. */
  readonly used: Set<string>;
}

/** Each costs the daemon a descriptor, of which it has 65,536. */
const MOST_OF_ENDPOINT = 8_192;
const MOST_OF_HOST = 32_768;
/** Sockets that are made in one turn of the event loop. */
const AT_ONCE = 100;

/**
 * Holds published ports by sockets that nobody speaks to, so that no other program takes one whose traffic goes to a
 * container: what arrives there was not translated, and is refused.
 */
export class PortHolder {
  readonly #log: Log;
  /** By endpoint and `publishedAt`. */
  readonly #held = new Map<string, Map<string, Held>>();
  /** The latest word on an endpoint: what began before it holds nothing any more. */
  readonly #latest = new Map<string, Turn>();
  /** By `publishedAt`: sockets on their way. */
  readonly #binding = new Map<string, Promise<unknown>>();
  #made = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * One port of the host for each binding and family of the container; all or none. What the endpoint holds stays held
   * until `keep`, and is taken again where it fits. Faults: `exists` for one in use, which names who has it; `invalid` for
   * an address that is not this host's; `exhausted` for too many; `unavailable` or `timeout` when it ends early.
   */
  async reserve(
    id: string,
    bindings: readonly PortBinding[],
    addresses: readonly Address[],
    signal?: AbortSignal,
  ): Promise<readonly PublishedPort[]> {
    this.#checkRoom(id, bindings.length * addresses.length);
    const turn = this.#begin(id, signal);
    const done: PublishedPort[] = [];
    try {
      for (const binding of bindings)
        done.push(...(await this.#reserveOne(turn, binding, addresses)));
      return done;
    } catch (error) {
      // Otherwise whoever came after it has decided about these, or will.
      if (this.#latest.get(id) === turn) for (const at of turn.fresh) this.#release(id, at);
      if (error instanceof Refusal) throw await error.fault();
      throw error;
    } finally {
      this.#end(turn);
    }
  }

  /** The endpoint holds these and no others. Those of before this process are held again; what fails is logged. */
  keep(id: string, ports: readonly PublishedPort[]): void {
    const turn = this.#begin(id, undefined);
    const wanted = new Map(ports.map((port) => [publishedAt(port), port]));
    for (const at of [...(this.#held.get(id)?.keys() ?? [])]) {
      if (!wanted.has(at)) this.#release(id, at);
    }
    const missing = [...wanted].filter(([at]) => this.#held.get(id)?.has(at) !== true);
    void this.#holdAgain(turn, missing);
  }

  close(): void {
    for (const id of new Set([...this.#held.keys(), ...this.#latest.keys()])) this.keep(id, []);
  }

  #begin(id: string, signal: AbortSignal | undefined): Turn {
    const turn: Turn = { id, signal, fresh: [], used: new Set() };
    this.#latest.set(id, turn);
    return turn;
  }

  #end(turn: Turn): void {
    if (this.#latest.get(turn.id) === turn) this.#latest.delete(turn.id);
  }

  #checkLatest(turn: Turn): void {
    if (turn.signal?.aborted === true) throw abortFault(turn.signal, 'publishing ports');
    if (this.#latest.get(turn.id) === turn) return;
    throw new Fault(
      'unavailable',
      `ports of endpoint ${turn.id.slice(0, 12)} are no longer wanted: another call came after this one`,
      { reason: 'outdated' },
    );
  }

  async #holdAgain(
    turn: Turn,
    ports: readonly (readonly [string, PublishedPort])[],
  ): Promise<void> {
    for (const [at, port] of ports) {
      try {
        await this.#hold(turn, port);
      } catch (error) {
        if (this.#latest.get(turn.id) !== turn) return;
        this.#log.warn(
          { EndpointID: turn.id, port: at, reason: messageOf(error) },
          'a published port leads to its container, but another program could take it',
        );
      }
    }
    this.#end(turn);
  }

  #checkRoom(id: string, wanted: number): void {
    const others = [...this.#held].reduce(
      (sum, [one, { size }]) => sum + (one === id ? 0 : size),
      0,
    );
    const most = wanted > MOST_OF_ENDPOINT ? MOST_OF_ENDPOINT : MOST_OF_HOST - others;
    if (wanted <= most) return;
    throw new Fault(
      'exhausted',
      `${wanted} ports cannot be published for one container: there is room for ${most}; publish fewer`,
      { reason: 'too-many-ports' },
    );
  }

  async #reserveOne(
    turn: Turn,
    binding: PortBinding,
    addresses: readonly Address[],
  ): Promise<readonly PublishedPort[]> {
    const { protocol, port, hostAddress } = binding;
    const six = hostAddress.includes(':');
    const own = addresses.filter(({ family }) => hostAddress === '' || (family === 6) === six);
    if (own.length === 0) {
      throw new Fault(
        'invalid',
        `a port of ${hostAddress} cannot be published: the container has no IPv${six ? 6 : 4} address`,
        { reason: 'no-address' },
      );
    }
    let refusal: unknown;
    for (const choice of [...this.#chosen(turn, binding), ...choicesOf(binding)]) {
      const done: PublishedPort[] = [];
      try {
        for (const address of own) {
          const wanted = done[0]?.hostPort ?? choice;
          const at = { protocol, hostAddress, hostPort: wanted, address: String(address), port };
          done.push(await this.#hold(turn, at));
        }
        for (const one of done) turn.used.add(publishedAt(one));
        return done;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        for (const one of done.map(publishedAt))
          if (turn.fresh.includes(one)) this.#release(turn.id, one);
        refusal = error;
      }
    }
    throw refusal;
  }

  /** What any port that will do was when the same was asked before. */
  #chosen(turn: Turn, { protocol, port, hostAddress, hostPort }: PortBinding): readonly number[] {
    if (hostPort !== 0) return [];
    const known = [...(this.#held.get(turn.id) ?? [])].find(
      ([at, { port: one }]) =>
        !turn.used.has(at) &&
        one.protocol === protocol &&
        one.port === port &&
        one.hostAddress === hostAddress,
    );
    return known === undefined ? [] : [known[1].port.hostPort];
  }

  /** With the port that was found, when any will do. */
  async #hold(turn: Turn, port: PublishedPort): Promise<PublishedPort> {
    this.#made += 1;
    if (this.#made % AT_ONCE === 0) await nextTurn();
    this.#checkLatest(turn);
    const own = this.#ownerOf(port);
    const at = publishedAt(port);
    // Of an earlier call: the same socket holds it, whatever it leads to.
    if (own === turn.id && !turn.used.has(at)) return port;
    if (own !== undefined) throw new Refusal(port, undefined, `endpoint ${own.slice(0, 12)}`);
    const other = this.#binding.get(at);
    if (other !== undefined) {
      await other.catch(() => undefined);
      return this.#hold(turn, port);
    }
    const binding = this.#bind(turn, port);
    if (port.hostPort !== 0) this.#binding.set(at, binding);
    try {
      return await binding;
    } finally {
      if (this.#binding.get(at) === binding) this.#binding.delete(at);
    }
  }

  async #bind(turn: Turn, port: PublishedPort): Promise<PublishedPort> {
    const found = await bind(port).catch((error: unknown) => {
      throw new Refusal(port, error);
    });
    const chosen = { ...port, hostPort: found.port };
    try {
      this.#checkLatest(turn);
    } catch (error) {
      found.close();
      throw error;
    }
    const held = this.#held.get(turn.id) ?? new Map<string, Held>();
    this.#held.set(turn.id, held.set(publishedAt(chosen), { port: chosen, close: found.close }));
    turn.fresh.push(publishedAt(chosen));
    return chosen;
  }

  #release(id: string, at: string): void {
    const held = this.#held.get(id);
    held?.get(at)?.close();
    held?.delete(at);
    if (held?.size === 0) this.#held.delete(id);
  }

  /** An endpoint of ours that has this very port; sockets tell of all others. */
  #ownerOf(port: PublishedPort): string | undefined {
    const at = publishedAt(port);
    return [...this.#held].find(([, held]) => held.has(at))?.[0];
  }
}
