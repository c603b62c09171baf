import { messageOf, type Log } from '../base/index.js';
import type { Netlink } from '../netlink/index.js';
import { isForbidden } from './flow-judge.js';
import type { Policy } from './policy/index.js';

/**
 * Ends established connections that policy forbids by now. Rules decide about the first packet of a
 * connection only, so a change of policy would leave those that run. Whose connection is forgotten by
 * the kernel begins anew with its next packet: that one is denied, or no beginning of a connection.
 */
export class FlowCutter {
  readonly #netlink: Netlink;
  readonly #policy: Policy;
  readonly #log: Log;
  #cut = 0;

  constructor(netlink: Netlink, policy: Policy, log: Log) {
    this.#netlink = netlink;
    this.#policy = policy;
    this.#log = log;
  }

  /** Connections ended since the start. */
  get count(): number {
    return this.#cut;
  }

  /** To be called when the kernel has the rules: what it still lets begin would come back. */
  async cut(): Promise<void> {
    const own = await this.#netlink.addresses();
    const hostAddresses = new Set(own.map(({ address }) => String(address)));
    const trusted = this.#policy.trusted;
    const { facts } = this.#policy;
    const settings = { hostAddresses, trusted };
    const cut = await this.#netlink.cutFlows((flow) => {
      try {
        return isForbidden(facts, flow, settings);
      } catch (error) {
        // What cannot be judged was let in by rules, and is not for this to end.
        this.#log.warn({ reason: messageOf(error) }, 'a connection cannot be judged by policy');
        return false;
      }
    });
    this.#cut += cut;
    if (cut > 0) this.#log.info({ connections: cut }, 'ended connections that policy forbids');
  }
}
