import { Fault, messageOf, toFault } from '../base/fault.js';
import type { Log } from '../base/log.js';
import { refusal, type Engine, type Mode } from './engine.js';
import { monitorRuleset } from './monitor.js';
import type { Nft, RuleCounter } from './port.js';
import { rehearse } from './rehearse.js';
import { RuleCounters } from './rule-counters.js';

/** A call fails after this, whether it was waiting or nft is stuck; its outcome is then unknown. */
const BOUND_MS = 60_000;
/** Merged text is cut here: nft takes longer than linearly over very large ones. */
const MOST_MERGED = 512 * 1024;
/** So many transactions go ahead of a list or check that waits; then it is its turn. */
const MOST_AHEAD = 8;

interface Call {
  readonly commands: string;
  readonly mode: Mode;
  readonly resolve: (output: string) => void;
  readonly reject: (fault: Fault) => void;
  readonly timer: NodeJS.Timeout;
  /** Transactions that went ahead of it. */
  overtaken: number;
}

/**
 * nft with one text at a time. What is to be applied and waits goes in one transaction: each of them
 * costs some 0.1 ms, whatever it holds. When that is refused they are run one by one, in their order,
 * so that only the caller at fault is told. It goes ahead of lists and checks that wait: those take
 * long on a host with many rules, and after a flush the host is open until the table is back.
 */
export class SerialNft implements Nft {
  readonly implementation: 'library' | 'command';
  readonly #engine: Engine;
  readonly #log: Log;
  readonly #waiting: Call[] = [];
  readonly #monitors = new Set<{ close(): void }>();
  readonly #counters: RuleCounters;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(engine: Engine, log: Log) {
    this.#engine = engine;
    this.#log = log;
    this.implementation = engine.implementation;
    this.#counters = new RuleCounters(log);
  }

  async apply(commands: string): Promise<void> {
    await this.#call(commands, 'apply');
  }

  async check(commands: string): Promise<void> {
    await this.#call(commands, 'check');
  }

  async listJson(command: string): Promise<unknown> {
    return parseOutput(command, await this.#call(command, 'list'));
  }

  async rehearse(commands: string): Promise<unknown> {
    return parseOutput('what it was given', await rehearse(commands));
  }

  ruleCounters(table: string, chain?: string): Promise<readonly RuleCounter[]> {
    return this.#counters.read(table, chain);
  }

  monitor(onForeignChange: (tables?: ReadonlySet<string>, deaf?: boolean) => void): {
    close(): void;
  } {
    const monitor = monitorRuleset(this.#log, (port) => this.#engine.owns(port), onForeignChange);
    this.#monitors.add(monitor);
    return {
      close: () => {
        this.#monitors.delete(monitor);
        monitor.close();
      },
    };
  }

  /** What waits is rejected; what runs is waited for. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const monitor of this.#monitors) monitor.close();
    for (const call of this.#waiting.splice(0)) settle(call, closedFault());
    await this.#running;
    await this.#counters.close();
    await this.#engine.close();
  }

  #call(commands: string, mode: Mode): Promise<string> {
    if (this.#closed) return Promise.reject(closedFault());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#overdue(call), BOUND_MS);
      const call: Call = { commands, mode, resolve, reject, timer, overtaken: 0 };
      this.#waiting.push(call);
      this.#running ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    // Calls of one turn of the event loop are all there before the first transaction is cut.
    await Promise.resolve();
    for (let batch = this.#nextBatch(); batch.length > 0; batch = this.#nextBatch()) {
      if (batch.length === 1 || !(await this.#runMerged(batch))) {
        for (const call of batch) await this.#runAlone(call);
      }
    }
    this.#running = undefined;
  }

  #nextBatch(): readonly Call[] {
    const other = this.#waiting.find(({ mode }) => mode !== 'apply');
    const batch = other === undefined || other.overtaken < MOST_AHEAD ? this.#waitingApplies() : [];
    if (other !== undefined && batch.length > 0) other.overtaken += 1;
    const next = batch.length > 0 || other === undefined ? batch : [other];
    for (const call of next) this.#waiting.splice(this.#waiting.indexOf(call), 1);
    return next;
  }

  /** As many as go in one transaction, the first to come first. */
  #waitingApplies(): readonly Call[] {
    const batch: Call[] = [];
    let size = 0;
    for (const call of this.#waiting) {
      if (call.mode !== 'apply') continue;
      size += call.commands.length;
      if (batch.length > 0 && size > MOST_MERGED) break;
      batch.push(call);
    }
    return batch;
  }

  /** False when nft did not take them together, and nothing was changed. */
  async #runMerged(batch: readonly Call[]): Promise<boolean> {
    try {
      const merged = batch.map((call) => call.commands).join('\n');
      const outcome = await this.#engine.run(merged, 'apply');
      if (outcome.ok) for (const call of batch) settle(call, outcome.output);
      return outcome.ok;
    } catch (error) {
      for (const call of batch) settle(call, toFault(error));
      return true;
    }
  }

  async #runAlone(call: Call): Promise<void> {
    try {
      const outcome = await this.#engine.run(call.commands, call.mode);
      settle(call, outcome.ok ? outcome.output : refusal(call.commands, outcome.error));
    } catch (error) {
      settle(call, toFault(error));
    }
  }

  #overdue(call: Call): void {
    const at = this.#waiting.indexOf(call);
    if (at >= 0) this.#waiting.splice(at, 1);
    settle(call, new Fault('timeout', `nft did not answer within ${BOUND_MS / 1000} s`));
  }
}

function parseOutput(to: string, output: string): unknown {
  try {
    const document: unknown = JSON.parse(output);
    return document;
  } catch (error) {
    const reason = messageOf(error);
    throw new Fault('internal', `nft answered "${to}" with what is no JSON: ${reason}`, {
      reason: 'bad-nft-output',
      cause: error,
    });
  }
}

function settle(call: Call, how: string | Fault): void {
  clearTimeout(call.timer);
  if (how instanceof Fault) call.reject(how);
  else call.resolve(how);
}

function closedFault(): Fault {
  return new Fault('unavailable', 'nft is closed', { reason: 'closed' });
}
