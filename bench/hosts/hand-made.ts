import type { BgpHost } from '../../test/fixtures/bgp-lab.js';

export interface HandMade {
  /** Of the namespace on the second host. */
  readonly to: string;
  readonly devices: { readonly host: string; readonly tunnel: string };
}

const DEVICES = { host: 'h0', tunnel: 'vxhand' };
/** What the tunnel takes away, as ours. */
const VXLAN_BYTES = 50;

/** What a careful administrator would set up for one container on each of two hosts, and nothing more. */
export async function byHand(
  hosts: readonly [BgpHost, BgpHost],
  addresses: readonly string[],
  vxlan: boolean,
): Promise<HandMade> {
  for (const [at, host] of hosts.entries()) {
    const own = at + 1;
    const other = 3 - own;
    const mtu = vxlan ? 1500 - VXLAN_BYTES : 1500;
    const lines = [
      'ip netns add hand',
      `ip link add h0 mtu ${mtu} numtxqueues 1 numrxqueues 1 type veth peer name e0 mtu ${mtu} numtxqueues 1 numrxqueues 1 netns hand`,
      `ip addr add 10.30.${own}.1/24 dev h0`,
      'ip link set h0 up',
      'ip -n hand link set lo up',
      `ip -n hand addr add 10.30.${own}.2/24 dev e0`,
      'ip -n hand link set e0 up',
      `ip -n hand route add default via 10.30.${own}.1`,
      ...(vxlan
        ? tunnelLines(own, other, addresses, mtu)
        : [`ip route add 10.30.${other}.0/24 via ${addresses[other - 1]}`]),
    ];
    await host.host.must('sh', ['-e', '-c', lines.join('\n')]);
  }
  return { to: '10.30.2.2', devices: DEVICES };
}

function tunnelLines(
  own: number,
  other: number,
  addresses: readonly string[],
  mtu: number,
): readonly string[] {
  const mac = (host: number): string => `02:00:00:00:77:0${host}`;
  return [
    `ip link add vxhand address ${mac(own)} mtu ${mtu} type vxlan id 77 local ${addresses[own - 1]} dev eth0 dstport 4790 nolearning`,
    `ip addr add 10.31.${own}.0/32 dev vxhand`,
    'ip link set vxhand up',
    `bridge fdb append ${mac(other)} dev vxhand dst ${addresses[other - 1]}`,
    `ip neigh add 10.31.${other}.0 lladdr ${mac(other)} dev vxhand nud permanent`,
    `ip route add 10.30.${other}.0/24 via 10.31.${other}.0 dev vxhand onlink`,
  ];
}
