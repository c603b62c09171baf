import { Fault } from '../base/fault.js';
import type { Netlink } from './port.js';

/** Methods of the port that reach the kernel. */
export type Operation = Exclude<keyof Netlink, 'monitor' | 'close'>;

/** What was asked of a kernel that is only memory, and what it is to refuse. */
export class MemoryCalls {
  /** Names of the port's methods in order of call. */
  readonly calls: Operation[] = [];
  readonly #failures = new Map<Operation, Fault[]>();
  protected closed = false;

  /** The next call of this method rejects with the fault; several are used up in order. */
  failNext(operation: Operation, fault: Fault): void {
    this.#failures.set(operation, [...(this.#failures.get(operation) ?? []), fault]);
  }

  protected enter(operation: Operation): void {
    this.calls.push(operation);
    if (this.closed)
      throw new Fault('unavailable', 'the netlink socket is closed', { reason: 'closed' });
    const fault = this.#failures.get(operation)?.shift();
    if (fault !== undefined) throw fault;
  }
}
