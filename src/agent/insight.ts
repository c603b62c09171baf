import type { CountedEndpoint, CountedList } from '../model/index.js';
import type { ConnectionFlow, Netlink } from '../netlink/index.js';
import type { Nft } from '../nft/index.js';
import { listHostInterfaces } from './host-interfaces.js';
import type { HostInterface, Policy } from './policy/index.js';
import { nameOf, readCounters, readTotals, type PolicyTotal } from './policy-counters.js';

/** The connections that a change of policy may end. */
export interface HostConnections {
  /** Of this host, as text. */
  readonly hostAddresses: readonly string[];
  readonly flows: readonly ConnectionFlow[];
  /** Its interfaces but those of containers. */
  readonly interfaces: readonly HostInterface[];
  /** There were too many to tell all. */
  readonly isPartial: boolean;
}

/** What an operator may ask of the kernel; read when asked, and never on the way of a change. */
export interface Insight {
  /** Undefined for an endpoint that this host does not judge. */
  counters(endpoint: CountedEndpoint): Promise<readonly CountedList[] | undefined>;
  policyTotals(): Promise<readonly PolicyTotal[]>;
  /** With an end that is a container or a process of this host. */
  connections(): Promise<HostConnections>;
}

interface InsightParts {
  readonly nft: Nft;
  readonly netlink: Netlink;
  readonly policy: Policy;
  readonly table: string;
}

const MOST_FLOWS = 200_000;

export function createInsight({ nft, netlink, policy, table }: InsightParts): Insight {
  const { facts } = policy;
  return {
    counters: async ({ kind, id }) => {
      const lists = policy.asked(kind, id);
      const names = { table, nameOf: (policyId: string) => nameOf(policy, policyId) };
      return lists && readCounters(nft, names, lists);
    },
    policyTotals: () => readTotals(nft, table, policy),
    connections: async () => {
      const own = await netlink.addresses();
      const hostAddresses = own.map(({ address }) => String(address));
      const interfaces = await listHostInterfaces(netlink);
      const here = new Set(hostAddresses);
      let seen = 0;
      const flows = await netlink.listFlows(({ source, destination }) => {
        const ofHost = here.has(String(source)) !== here.has(String(destination));
        if (!ofHost && !facts.isLocal(source) && !facts.isLocal(destination)) return false;
        seen += 1;
        return seen <= MOST_FLOWS;
      });
      return { hostAddresses, interfaces, flows, isPartial: seen > MOST_FLOWS };
    },
  };
}
