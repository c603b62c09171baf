import { Cidr, families, type Family, type IpPool } from '../../model/index.js';

/** Everything that masquerading needs in the agent's table. */
export interface NatContent {
  readonly sets: readonly {
    readonly name: string;
    readonly type: string;
    readonly keys: readonly string[];
  }[];
  readonly chains: readonly {
    readonly name: string;
    readonly hook: string;
    readonly rules: readonly string[];
  }[];
}

/** Calico's hook: after other programs' source NAT. */
const HOOK = 'type nat hook postrouting priority srcnat + 10; policy accept;';

/**
 * Traffic from a pool with natOutgoing to a destination in no pool at all takes the host's address.
 * "No pool" counts disabled pools and those without natOutgoing too, but not pools that serve load
 * balancers only; other hosts' addresses are no exception (Calico's default, node-agent §4.1). Which pools
 * there are is a matter of set members. Only the first pool with natOutgoing brings the rule: it loads the kernel's
 * masquerade module, and from then on the kernel walks its conntrack table for every interface that goes down (0.3 to
 * 2 ms of CPU per container stop, measured with 262,144 buckets). Docker's own bridges load it as well.
 */
export function renderNat(pools: Iterable<IpPool>): NatContent {
  const all = [...pools].filter(({ allowedUses }) =>
    allowedUses.some((use) => use !== 'LoadBalancer'),
  );
  const members = (family: Family, natOnly: boolean): readonly string[] =>
    networks(all.filter((pool) => pool.cidr.family === family && (pool.natOutgoing || !natOnly)));
  const sets = families.flatMap((family) => [
    { name: `pools${family}`, type: `ipv${family}_addr`, keys: members(family, false) },
    { name: `masq${family}`, type: `ipv${family}_addr`, keys: members(family, true) },
  ]);
  const rules = families
    .filter((family) => members(family, true).length > 0)
    .map((family) => {
      const ip = family === 4 ? 'ip' : 'ip6';
      return `${ip} saddr @masq${family} ${ip} daddr != @pools${family} counter masquerade fully-random comment "natOutgoing"`;
    });
  return { sets, chains: [{ name: 'nat-post', hook: HOOK, rules }] };
}

/** In order, without those inside another: an interval set refuses overlaps; /0 as two halves, for old kernels. */
function networks(pools: readonly IpPool[]): string[] {
  const sorted = pools.map(({ cidr }) => cidr).sort((left, right) => left.compare(right));
  const kept: Cidr[] = [];
  for (const cidr of sorted) {
    if (kept.at(-1)?.containsCidr(cidr) !== true) kept.push(cidr);
  }
  return kept.flatMap((cidr) => {
    if (cidr.prefix > 0) return [String(cidr)];
    const upper = cidr.base.plus(cidr.size / 2n);
    return [Cidr.of(cidr.base, 1), Cidr.of(upper, 1)].map(String);
  });
}
