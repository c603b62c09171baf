import {
  families,
  tunnels,
  type Address,
  type BgpListener,
  type Cidr,
  type Family,
  type TunnelKind,
} from '../../model/index.js';

/** Everything that tunnels need in the agent's table, besides the sets of the hosts' addresses. */
export interface TunnelContent {
  readonly chains: readonly {
    readonly name: string;
    readonly hook: string;
    readonly rules: readonly string[];
  }[];
}

export interface TunnelRules {
  readonly inUse: ReadonlySet<TunnelKind>;
  readonly port: number;
  /** This host's own tunnel addresses. */
  readonly addresses: Readonly<Partial<Record<TunnelKind, Address>>>;
  /** Where this host's BIRD listens; none when it speaks to nobody. */
  readonly listeners?: readonly BgpListener[];
  /** Networks of hosts outside the cluster whose packets are taken as well. */
  readonly outsiders?: readonly Cidr[];
}

/** The set of the addresses from which other hosts send tunnelled packets. */
export function hostSet(family: Family): string {
  return `hosts${family}`;
}

const PROTOCOL: Readonly<Record<Family, string>> = {
  4: 'meta nfproto ipv4',
  6: 'meta nfproto ipv6',
};

const hook = (type: string, at: string, priority: string): string =>
  `type ${type} hook ${at} priority ${priority}; policy accept;`;

/**
 * Tunnelled packets are taken from known hosts only: anybody else could send in what pretends to come from a container
 * (node-agent §3.3). Those of known hosts carry the accept mark, by which the host's own firewall is told to let them in. Without a tunnel in use its port is anybody's, such as Swarm's. Outer VXLAN packets are not
 * tracked: each inner flow has a source port of its own. What the host itself sends into a tunnel with another of its
 * addresses takes the tunnel's, or a strict rp_filter at the other end drops it (§3.6); by `snat`, since `masquerade`
 * makes the kernel walk its connection table for each interface that goes down.
 */
export function renderTunnels(given: TunnelRules): TunnelContent {
  const { inUse, port, addresses, outsiders = [] } = given;
  const vxlan = families.filter((family) => inUse.has(family === 4 ? 'vxlan4' : 'vxlan6'));
  const ip = (family: Family): string => (family === 4 ? 'ip' : 'ip6');
  const judged = [
    ...vxlan.map((family) => ({ family, match: `udp dport ${port}`, what: 'VXLAN' })),
    ...(inUse.has('ipip')
      ? [{ family: 4, match: 'ip protocol 4', what: 'IP in IP' } as const]
      : []),
  ].flatMap(({ family, match, what }) => [
    ...peers(family, outsiders).map(
      (peer) => `${match} ${ip(family)} saddr ${peer} meta mark set meta mark | 0x10000 accept`,
    ),
    `${match} ${PROTOCOL[family]} counter drop comment "${what} from an unknown host"`,
  ]);
  // From others BGP is not refused here: the operator's own routers may dial, past a firewall that lets them.
  const spoken = (given.listeners ?? []).flatMap(({ protocol, port: listens }) =>
    families.map(
      (family) =>
        `${protocol} dport ${listens} ${ip(family)} saddr @${hostSet(family)} meta mark set meta mark | 0x10000 accept`,
    ),
  );
  const untracked = (side: 'saddr' | 'daddr'): string[] =>
    vxlan.flatMap((family) =>
      peers(family, outsiders).map(
        (peer) => `${ip(family)} ${side} ${peer} udp dport ${port} notrack`,
      ),
    );
  const sources = [...inUse].sort().flatMap((kind) => {
    const address = addresses[kind];
    const { family, device } = tunnels[kind];
    if (address === undefined) return [];
    return [
      `oifname "${device}" ${ip(family)} saddr != ${address} fib saddr type local counter snat ${ip(family)} to ${address} comment "own packets into a tunnel"`,
    ];
  });
  return {
    chains: [
      {
        name: 'tunnel-in',
        hook: hook('filter', 'input', 'filter - 11'),
        rules: judged,
      },
      {
        // Behind what host endpoints' policies say of it.
        name: 'bgp-in',
        hook: hook('filter', 'input', 'filter - 9'),
        rules: spoken,
      },
      {
        name: 'tunnel-raw',
        hook: hook('filter', 'prerouting', 'raw - 1'),
        rules: untracked('saddr'),
      },
      { name: 'tunnel-out', hook: hook('filter', 'output', 'raw - 1'), rules: untracked('daddr') },
      { name: 'tunnel-post', hook: hook('nat', 'postrouting', 'srcnat + 11'), rules: sources },
    ],
  };
}

/** Who may send: the hosts, in a set that changes with them, and the networks that the operator names. */
function peers(family: Family, outsiders: readonly Cidr[]): readonly string[] {
  const own = outsiders.filter((cidr) => cidr.family === family).map(String);
  const named = [...new Set(own)].sort().join(', ');
  return [`@${hostSet(family)}`, ...(named === '' ? [] : [`{ ${named} }`])];
}

/** What the host's own firewall has to let in from known hosts. */
export interface Opening {
  /** In iptables' words. */
  readonly match: readonly string[];
  /** In nft's words. */
  readonly nft: string;
}

/** For tunnels in use, and for a BGP speaker that listens there. */
export function tunnelOpenings(
  inUse: ReadonlySet<TunnelKind>,
  vxlanPort: number,
  listeners: readonly BgpListener[] = [],
): Readonly<Record<Family, readonly Opening[]>> {
  const opening = ({ protocol, port }: BgpListener): Opening => ({
    match: ['-p', protocol, '--dport', String(port)],
    nft: `${protocol} dport ${port}`,
  });
  const vxlan = opening({ protocol: 'udp', port: vxlanPort });
  const ipip = { match: ['-p', '4'], nft: 'meta l4proto 4' };
  const bgp = listeners.map(opening);
  return {
    4: [...(inUse.has('vxlan4') ? [vxlan] : []), ...(inUse.has('ipip') ? [ipip] : []), ...bgp],
    6: [...(inUse.has('vxlan6') ? [vxlan] : []), ...bgp],
  };
}
