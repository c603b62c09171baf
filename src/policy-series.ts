import { messageOf, type Log } from './base/index.js';
import type { Agent, PolicyTotal } from './agent/index.js';
import type { Metrics } from './metrics/index.js';

/**
 * What policies have matched on this host. Read from the kernel once per scrape, and only then: the
 * rules count anyway, and nothing else looks. A policy that is written again begins at zero, which
 * Prometheus takes for the restart of a counter.
 */
export function declarePolicySeries(
  metrics: Metrics,
  agent: () => Agent | undefined,
  log: Log,
): void {
  let reading: Promise<readonly PolicyTotal[]> | undefined;
  // Both series of one scrape are of one look.
  const read = (): Promise<readonly PolicyTotal[]> => {
    reading ??= totalsOf(agent(), log).finally(() => (reading = undefined));
    return reading;
  };
  const declare = (what: string, help: string, pick: (total: PolicyTotal) => number): void =>
    metrics.readCounter(
      {
        ...{ room: 'policy', what, unit: 'total', help },
        labels: ['policy', 'direction', 'action'],
      },
      async () =>
        (await read()).map((total) => {
          const { policy, direction, action } = total;
          return { labels: { policy, direction, action }, value: pick(total) };
        }),
    );
  const which =
    'of all endpoints of this host, since the policy was last written here; of a connection only the first packet is asked';
  declare('packets', `Packets that rules of a policy matched, ${which}.`, ({ packets }) => packets);
  declare(
    'packet_bytes',
    `Bytes of packets that rules of a policy matched, ${which}.`,
    (one) => one.bytes,
  );
}

/** A scrape goes without them when the kernel does not answer. */
async function totalsOf(agent: Agent | undefined, log: Log): Promise<readonly PolicyTotal[]> {
  try {
    return (await agent?.insight?.policyTotals()) ?? [];
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'the counters of policies could not be read');
    return [];
  }
}
