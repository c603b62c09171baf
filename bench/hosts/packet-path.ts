import type { BgpHost } from '../../test/fixtures/bgp-lab.js';

/** Network namespace (empty: the host's) and device; `*` at its end stands for anything. */
type Place = readonly [namespace: string, device: string];

export interface Hop {
  readonly hop: string;
  readonly ours: Place;
  readonly hand: Place;
}

interface Link {
  readonly ifname: string;
  readonly mtu: number;
  readonly qdisc?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly [member: string]: unknown;
}

/** What decides how packets go through a device: kind, MTU, queues, and how large a packet offloads make. */
const COMPARED = [
  'mtu',
  'qdisc',
  'num_tx_queues',
  'num_rx_queues',
  'gso_max_size',
  'gso_max_segs',
  'tso_max_size',
  'gro_max_size',
] as const;

/** Where ours and what was made by hand differ, hop by hop; from the container to the wire both share. */
export async function comparePaths(host: BgpHost, hops: readonly Hop[]): Promise<string[]> {
  const differences: string[] = [];
  for (const { hop, ours, hand } of hops) {
    const [left, right] = [await linkAt(host, ours), await linkAt(host, hand)];
    const kinds = [left, right].map(({ linkinfo }) => linkinfo?.info_kind ?? '');
    if (kinds[0] !== kinds[1]) differences.push(`${hop}: ${kinds.join(' and ')}`);
    for (const member of COMPARED) {
      if (left[member] === right[member]) continue;
      differences.push(`${hop}: ${member} ${String(left[member])} and ${String(right[member])}`);
    }
  }
  return differences;
}

async function linkAt(host: BgpHost, [namespace, device]: Place): Promise<Link> {
  const where = namespace === '' ? [] : ['-n', namespace];
  const text = await host.host.must('ip', [...where, '-d', '-j', 'link', 'show']);
  const links = JSON.parse(text) as Link[];
  const fits = ({ ifname }: Link): boolean =>
    device.endsWith('*') ? ifname.startsWith(device.slice(0, -1)) : ifname === device;
  const found = links.find(fits);
  if (found === undefined) throw new Error(`there is no ${device}`);
  return found;
}
