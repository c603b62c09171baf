import type { HostInsight } from './admin/index.js';
import type { Agent } from './agent/index.js';

/** What the admin socket tells of the kernel, from the agent of this host. */
export function hostInsight(node: string, agent: () => Promise<Agent>): HostInsight {
  return {
    counters: async (endpoint) => {
      const { insight } = await agent();
      if (insight === undefined) return { node, dataplane: 'external' };
      const lists = await insight.counters(endpoint);
      return { node, dataplane: 'internal', ...(lists === undefined ? {} : { lists }) };
    },
    flows: async () => {
      const { insight } = await agent();
      if (insight === undefined) {
        return { node, dataplane: 'external', hostAddresses: [], flows: [], isPartial: false };
      }
      const { hostAddresses, interfaces, flows, isPartial } = await insight.connections();
      const shown = flows.map((flow) => ({
        ...flow,
        source: String(flow.source),
        destination: String(flow.destination),
      }));
      const named = interfaces.map(({ name, addresses }) => ({
        name,
        addresses: addresses.map(String),
      }));
      const answer = { node, dataplane: 'internal', isPartial } as const;
      return { ...answer, hostAddresses, interfaces: named, flows: shown };
    },
  };
}
