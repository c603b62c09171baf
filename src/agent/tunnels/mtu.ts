import { tunnels, type FelixConfiguration, type TunnelKind } from '../../model/index.js';
import type { Link } from '../../netlink/index.js';

/** Calico's pattern of the interfaces that lead to other hosts. */
const HOST_INTERFACES = /^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)/;

/**
 * The MTU of what leads to other hosts: the smallest of the interfaces that match the pattern, the Node's own
 * interfaces counted too, since bonds and bridges do not match (node-agent §3.5). Undefined when there is none.
 */
export function hostMtu(
  links: readonly Link[],
  uplinks: readonly number[],
  pattern?: string,
): number | undefined {
  const matches = patternOf(pattern);
  const sizes = links
    .filter((link) => link.up && (matches.test(link.name) || uplinks.includes(link.index)))
    .map(({ mtu }) => mtu);
  return sizes.length === 0 ? undefined : Math.min(...sizes);
}

function patternOf(pattern: string | undefined): RegExp {
  if (pattern === undefined || pattern === '') return HOST_INTERFACES;
  try {
    return new RegExp(pattern);
  } catch (error) {
    // An operator's slip must not stop the network; the pattern that everybody has serves.
    if (error instanceof SyntaxError) return HOST_INTERFACES;
    throw error;
  }
}

/** The MTU of a tunnel's device: what is configured, else what the outer header leaves. */
export function tunnelMtu(kind: TunnelKind, host: number, felix: FelixConfiguration): number {
  const configured = { vxlan4: felix.vxlanMtu, vxlan6: felix.vxlanMtuV6, ipip: felix.ipipMtu }[
    kind
  ];
  return configured !== undefined && configured > 0 ? configured : host - tunnels[kind].overhead;
}

/** The MTU of a new endpoint: the smallest of the tunnels in use; undefined when nothing is known of the host. */
export function workloadMtu(
  kinds: Iterable<TunnelKind>,
  host: number | undefined,
  felix: FelixConfiguration,
): number | undefined {
  if (host === undefined) return undefined;
  return Math.min(host, ...[...kinds].map((kind) => tunnelMtu(kind, host, felix)));
}
