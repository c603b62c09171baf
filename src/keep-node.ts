import { KeptWork, type Log } from './base/index.js';
import type { Registration } from './node/index.js';

/** Bound of one registration. */
const REGISTER_MS = 20_000;
/** An interface that comes up changes several times within a moment. */
const SETTLE_MS = 1_000;

/**
 * Keeps the own Node true while the host's addresses change: each change registers anew, which writes nothing unless
 * something differs. The first registration was made before.
 */
export class NodeKeeper {
  readonly #kept: KeptWork;
  #registration: Registration;

  constructor(
    first: Registration,
    register: (signal: AbortSignal) => Promise<Registration>,
    log: Log,
  ) {
    this.#registration = first;
    this.#kept = new KeptWork({
      what: 'the Node cannot be brought to the addresses of this host',
      work: async (signal) => {
        const next = await register(signal);
        const known = new Set(this.#registration.warnings.map(({ message }) => message));
        for (const warning of next.warnings) {
          if (!known.has(warning.message)) log.warn({ warning }, 'node registration');
        }
        if (next.written.length > 0) log.info({ keys: next.written }, 'the Node follows the host');
        this.#registration = next;
      },
      log,
      boundMs: REGISTER_MS,
      settleMs: SETTLE_MS,
    });
    this.#kept.start();
  }

  /** The newest. */
  get registration(): Registration {
    return this.#registration;
  }

  get problem(): string | undefined {
    return this.#kept.problem;
  }

  /** Addresses or interfaces of the host changed. */
  mark(): void {
    this.#kept.mark();
  }

  stop(): Promise<void> {
    return this.#kept.stop();
  }
}
