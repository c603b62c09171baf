import { backoff, exec, type Clock, type Log } from '../base/index.js';
import { families, type BgpListener } from '../model/index.js';
import type { Netlink } from '../netlink/index.js';
import {
  BgpView,
  BirdKeeper,
  PORT_TAKEN,
  readPasswords,
  renderBgp,
  type BgpNote,
  type BgpStatus,
  type Passwords,
  type RenderedBgp,
  type WantedBgp,
} from './bgp/index.js';
import { Loop, type PartStatus } from './loop.js';
import type { BgpHostSettings } from './ports.js';

export interface BgpPartOptions {
  readonly settings: BgpHostSettings;
  readonly nodeName: string;
  readonly netlink: Netlink;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The agent sets routes of plain pools itself; `refresh` tells of a change. */
  readonly plainRoutes: () => boolean;
  /** Told where peers reach this host, at first and when that changes; nowhere while BGP is silent. */
  readonly onListeners: (listeners: readonly BgpListener[]) => void;
}

/** How often BIRD is asked for its sessions, and the operator's files are looked at. */
const LOOK_EVERY_MS = 5000;
/** While sessions are coming up somebody may be watching, but not for ever. */
const COMING_UP_MS = 30_000;
const LOOK_OFTEN_MS = 1000;
/** A BIRD that lived this long is started again at once when it ends. */
const GOOD_LIFE_MS = 30_000;
const PORT_HINT =
  "; another program has the BGP port: end it, such as the distribution's own bird.service";
/** RTPROT_BIRD of the kernel's rtnetlink.h. */
const BIRD_PROTOCOL = 12;

/**
 * BGP of one host: what the store says becomes BIRD's configuration. It has a loop of its own, because a
 * BIRD that does not answer must not hold up routes and policy.
 */
export class BgpPart {
  readonly view: BgpView;
  readonly #options: BgpPartOptions;
  readonly #keeper: BirdKeeper;
  readonly #loop: Loop<'bgp'>;
  readonly #timers = new Set<NodeJS.Timeout>();
  #passwords: Passwords = { passwords: new Map(), problems: [] };
  #rendered: { readonly key: string; readonly result: RenderedBgp | undefined } | undefined;
  #notes: readonly BgpNote[] = [];
  #pauses = backoff(100, 10_000);
  #nextLook: NodeJS.Timeout | undefined;
  #comingUpUntil = 0;
  #toldListeners: string | undefined;
  /** Since when BIRD runs, as far as was seen; monotonic milliseconds. */
  #runsSince: number | undefined;

  constructor(options: BgpPartOptions) {
    this.#options = options;
    const { settings, nodeName, log, clock, signal } = options;
    const mark = (): void => this.#loop.mark('bgp');
    this.view = new BgpView(nodeName, log, mark);
    this.#keeper = new BirdKeeper({
      folder: settings.runDir,
      includeFolder: settings.includeFolder,
      log,
      exec: (program, args) => exec(program, args, { signal }),
      hasBirdRoutes: () => this.#hasBirdRoutes(),
      onGone: () => this.#onGone(),
    });
    const part = {
      name: 'bgp',
      settleMs: 2,
      apply: (end: AbortSignal) => this.#apply(end),
    } as const;
    this.#loop = new Loop({ parts: [part], log, clock, signal });
  }

  get status(): BgpStatus {
    return this.#keeper.status;
  }

  get parts(): Record<string, PartStatus> {
    return this.#loop.status();
  }

  /** What an operator should know. */
  get notes(): readonly BgpNote[] {
    const { state, reason = '', sessions } = this.status;
    const silent = state === 'failed' || (state === 'off' && this.#wantsSessions());
    return [
      ...(silent ? [this.#note('bgp-not-running', reason)] : []),
      ...this.view.notes,
      ...this.#notes,
      ...this.#keeper.notes,
      ...this.#passwords.problems.map((problem) => this.#note('bgp-password-missing', problem)),
      ...sessions
        .filter(({ info }) => info !== 'Established')
        .map(({ peer, state: how, info, since }): BgpNote => {
          const hint = info.includes(PORT_TAKEN) ? PORT_HINT : '';
          const details = `${how} ${info} since ${since}${hint}`;
          return { reason: 'bgp-session-down', subject: peer, details };
        }),
    ];
  }

  start(): void {
    this.#loop.mark('bgp');
  }

  refresh(): void {
    this.#loop.mark('bgp');
  }

  /** BIRD goes on. */
  async stop(): Promise<void> {
    clearTimeout(this.#nextLook);
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#loop.idle();
    this.#keeper.close();
  }

  #note(reason: BgpNote['reason'], details: string): BgpNote {
    return { reason, subject: this.#options.nodeName, details };
  }

  #wantsSessions(): boolean {
    return (this.#rendered?.result?.sessions.length ?? 0) > 0;
  }

  async #apply(signal: AbortSignal): Promise<void> {
    try {
      const wanted = await this.#wanted();
      this.#tellListeners(wanted);
      await this.#keeper.apply(wanted, signal);
    } finally {
      this.#lookAgain(signal);
    }
    if (this.status.state === 'running') this.#runsSince ??= this.#options.clock.monotonic();
  }

  /** Before BIRD is told: who dials meets an open port. */
  #tellListeners({ type }: WantedBgp): void {
    if (type === 'as-before') return;
    const listeners = type === 'silent' ? [] : (this.#rendered?.result?.listeners ?? []);
    const told = JSON.stringify(listeners);
    if (told === this.#toldListeners) return;
    this.#toldListeners = told;
    this.#options.onListeners(listeners);
  }

  #lookAgain(signal: AbortSignal): void {
    clearTimeout(this.#nextLook);
    if (signal.aborted) return;
    const allUp = this.status.sessions.every(({ info }) => info === 'Established');
    const often = !allUp && this.#options.clock.monotonic() < this.#comingUpUntil;
    const mark = (): void => this.#loop.mark('bgp');
    this.#nextLook = setTimeout(mark, often ? LOOK_OFTEN_MS : LOOK_EVERY_MS);
    this.#nextLook.unref();
  }

  async #wanted(): Promise<WantedBgp> {
    const { settings } = this.#options;
    if (settings.disabled !== undefined) return { type: 'silent', why: settings.disabled };
    if (!this.view.inSync) return { type: 'as-before' };
    if (this.view.drained) {
      this.#notes = [];
      return { type: 'silent', why: 'this host is drained' };
    }
    this.#passwords = await readPasswords(settings.passwordFile);
    const rendered = this.#render();
    this.#notes = rendered?.notes ?? [];
    if (rendered === undefined) {
      return { type: 'silent', why: 'the Node of this host has no BGP address' };
    }
    if (rendered.sessions.length === 0) {
      return { type: 'silent', why: 'no other node and no BGPPeer wants a session with this host' };
    }
    return { type: 'speak', text: rendered.text };
  }

  /** The last result is kept: most looks find nothing new. */
  #render(): RenderedBgp | undefined {
    const { settings } = this.#options;
    const { passwords } = this.#passwords;
    const plainRoutes = this.#options.plainRoutes();
    const key = JSON.stringify([this.view.version, plainRoutes, ...passwords]);
    if (this.#rendered?.key !== key) {
      const { routerId, bfd } = settings;
      const logFile = this.#keeper.files.log;
      const result = renderBgp(this.view.facts(passwords), {
        ...{ routerId, bfd, plainRoutes, logFile },
      });
      this.#rendered = { key, result };
      this.#comingUpUntil = this.#options.clock.monotonic() + COMING_UP_MS;
    }
    return this.#rendered.result;
  }

  async #hasBirdRoutes(): Promise<boolean> {
    const routes = await Promise.all(
      families.map((family) => this.#options.netlink.routes(family)),
    );
    return routes.flat().some(({ protocol }) => protocol === BIRD_PROTOCOL);
  }

  /** Started again at once; one that ends again and again, ever more slowly. */
  #onGone(): void {
    const { clock, log, signal } = this.#options;
    if (signal.aborted) return;
    const good = clock.monotonic() - (this.#runsSince ?? Infinity) >= GOOD_LIFE_MS;
    this.#runsSince = undefined;
    this.#comingUpUntil = clock.monotonic() + COMING_UP_MS;
    if (good) this.#pauses = backoff(100, 10_000);
    const pause = good ? 0 : this.#pauses.next().value;
    log.warn({ retryMs: pause }, 'BIRD has ended; starting it again');
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#loop.mark('bgp');
    }, pause);
    timer.unref();
    this.#timers.add(timer);
  }
}
