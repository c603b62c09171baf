import type { ProcSys } from './proc-sys.js';

export interface HostSettings {
  /** IPv6 is there and not switched off for the whole host. */
  readonly ipv6: boolean;
  /** Settings that had to be written, as `path=value`. */
  readonly written: readonly string[];
  /** Most and present number of tracked connections; absent when the kernel does not say. */
  readonly conntrack?: { readonly max: number; readonly count: number };
  /** What an operator should look at, one line each. */
  readonly warnings: readonly string[];
}

/** Below this many tracked connections a busy container host drops packets; kernels choose more on 4 GiB. */
const CONNTRACK_MINIMUM = 65_536;
const EVERY = new Set(['all', 'default', 'lo']);

/** IPv6 can be used on this host. */
export function hasIpv6(sys: ProcSys): boolean {
  return sys.read('ipv6/conf/all/disable_ipv6') === '0';
}

/**
 * The host forwards packets; what keeps it from doing so is put right at every call, and nothing is
 * written when all is well. Faults: `refused` when the kernel will not.
 */
export function ensureHostSettings(sys: ProcSys, ipv6: boolean): HostSettings {
  const written: string[] = [];
  const set = (path: string, value: string): void => {
    if (sys.set(path, value)) written.push(`${path}=${value}`);
  };
  set('ipv4/ip_forward', '1');
  if (ipv6 && sys.read('ipv6/conf/all/forwarding') === '0') {
    keepRouterAdvertisements(sys, set);
    set('ipv6/conf/all/forwarding', '1');
  }
  const conntrack = readConntrack(sys);
  return {
    ipv6,
    written,
    ...(conntrack === undefined ? {} : { conntrack }),
    warnings: [...conntrackWarnings(conntrack), ...filterWarnings(sys)],
  };
}

/**
 * A host that forwards ignores router advertisements unless told 2: one whose IPv6 default route
 * comes from them would lose it some minutes after we switched forwarding on.
 */
function keepRouterAdvertisements(sys: ProcSys, set: (path: string, value: string) => void): void {
  for (const name of sys.list('ipv6/conf')) {
    if (EVERY.has(name) || name.startsWith('cali')) continue;
    if (sys.read(`ipv6/conf/${name}/accept_ra`) === '1') set(`ipv6/conf/${name}/accept_ra`, '2');
  }
}

/** The stricter of "all" and the interface's own holds: this one cannot be undone for our interfaces alone. */
function filterWarnings(sys: ProcSys): string[] {
  const filter = sys.read('ipv4/conf/all/rp_filter') ?? '0';
  if (filter === '0') return [];
  return [
    `net.ipv4.conf.all.rp_filter is ${filter}: a container with two networks can answer only through the network that was asked; set it to 0 (each interface keeps its own) if that is not enough`,
  ];
}

function readConntrack(sys: ProcSys): HostSettings['conntrack'] {
  const max = Number(sys.read('netfilter/nf_conntrack_max') ?? sys.read('nf_conntrack_max'));
  const count = Number(sys.read('netfilter/nf_conntrack_count') ?? 0);
  return Number.isInteger(max) && Number.isInteger(count) ? { max, count } : undefined;
}

function conntrackWarnings(conntrack: HostSettings['conntrack']): string[] {
  if (conntrack === undefined || conntrack.max === 0) return [];
  const { max, count } = conntrack;
  const advice = 'raise net.netfilter.nf_conntrack_max';
  if (count > max * 0.9)
    return [`the connection table is nearly full (${count} of ${max}): ${advice}`];
  if (max < CONNTRACK_MINIMUM) {
    return [
      `the connection table holds only ${max} entries, ${CONNTRACK_MINIMUM} or more are usual: ${advice}`,
    ];
  }
  return [];
}
