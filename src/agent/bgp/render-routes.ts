import { Cidr, poolOf, type Address, type Family, type IpPool } from '../../model/index.js';
import { communityOf, netSet, quotable, sortedCidrs } from './bird-text.js';
import type { BgpFacts, Session } from './facts.js';
import { bgpAddress, type BgpConfigurations } from './own-node.js';

/** Interfaces whose networks are nobody's next hop: of workloads, bridges and tunnels. */
const NOT_DIRECT = ['cali*', 'docker*', 'br-*', 'veth*', 'tunl*', 'vxlan*'];

/** The local preference of Calico's normal route priority, 1024; its nodes take metrics from it. */
const NORMAL_PREFERENCE = 2_147_483_647 - 1024;

/** Always the same: a kernel protocol with others is begun anew, and forgets which routes are its own. */
export const KERNEL_OPTIONS = 'learn; persist; scan time 2; merge paths on; graceful restart on;';

/** Which routes go where, both families: the device, direct and kernel protocols and all filters. */
export function renderInterfaces(configurations: BgpConfigurations, node: string): string[] {
  const ignored = configurations.ignoredInterfacesOf(node).filter(quotable);
  const not = [...NOT_DIRECT, ...[...ignored].sort()].map((name) => `-"${name}"`);
  return [
    'protocol device { scan time 2; }',
    `protocol direct { ipv4; ipv6; interface ${not.join(', ')}, "*"; }`,
  ];
}

/** Routes of one family between kernel, peers and this host (node-agent §2.7 and §2.8). */
export function renderRoutes(
  facts: BgpFacts,
  configurations: BgpConfigurations,
  sessions: readonly Session[],
  family: Family,
  plainRoutes = false,
): string[] {
  const pools = [...facts.pools].filter(({ cidr }) => cidr.family === family);
  const hosts = hostsInPools(facts, pools, family);
  const blocks = sortedCidrs(
    [...facts.blocks].filter(
      (block) => block.family === family && !hosts.some((host) => block.contains(host)),
    ),
  );
  const gateways = sessions.filter((one) => one.family === family && one.reachableBy !== undefined);
  return [
    `# ---- IPv${family} ----`,
    ...fromKernel(family),
    ...toKernel(facts, family, pools, plainRoutes),
    ...toPeer(facts, configurations, family, { pools, blocks }),
    `function calico_from_peer${family}() {`,
    ...hosts.map((host) => `  if ${host} ~ net then reject; # a host is not to be cut off`),
    `  if net ~ ${netSet(cidrsOf(pools), '+')} then accept;`,
    '  reject;',
    '}',
    `protocol kernel kernel${family} {`,
    `  ${KERNEL_OPTIONS}`,
    `  ipv${family} { import filter calico_from_kernel${family}; export filter calico_to_kernel${family}; };`,
    '}',
    `protocol static blocks${family} {`,
    `  ipv${family};`,
    // A block of one address is announced by the address's own route.
    ...blocks.filter((block) => !block.isHost).map((block) => `  route ${block} blackhole;`),
    '}',
    `protocol static gateways${family} {`,
    `  ipv${family};`,
    ...gateways.map(
      ({ address, reachableBy }) =>
        `  route ${address}/${family === 4 ? 32 : 128} via ${reachableBy};`,
    ),
    '}',
  ];
}

/** Addresses of hosts that lie in a pool; hardly ever any. */
function hostsInPools(
  { nodes }: BgpFacts,
  pools: readonly IpPool[],
  family: Family,
): readonly Address[] {
  const inside = [...nodes].flatMap((node) => {
    const address = bgpAddress(node, family);
    return address !== undefined && poolOf(pools, address) !== undefined ? [address] : [];
  });
  return inside.sort((a, b) => a.compare(b));
}

function cidrsOf(pools: readonly IpPool[]): Cidr[] {
  return sortedCidrs(pools.map(({ cidr }) => cidr));
}

function fromKernel(family: Family): string[] {
  return [
    `filter calico_from_kernel${family} {`,
    '  if defined(krt_source) && krt_source = 80 then {',
    '    if ifname ~ "cali*" then accept; # addresses of workloads: one from another host\'s block is announced alone',
    '    reject; # tunnel routes and blackholes of the agent',
    '  }',
    '  accept; # routes of the host: next hops are resolved through them',
    '}',
  ];
}

function toKernel(
  facts: BgpFacts,
  family: Family,
  pools: readonly IpPool[],
  plainRoutes: boolean,
): string[] {
  const tunnelled = cidrsOf(pools.filter((pool) => isTunnelled(pool)));
  return [
    `filter calico_to_kernel${family} {`,
    `  if net ~ ${netSet(tunnelled, '+')} then reject; # pools with tunnels: the agent's`,
    ...(plainRoutes ? agentsPlainRoutes(facts, family, pools) : []),
    '  if source = RTS_BGP || source = RTS_STATIC then accept;',
    '  reject;',
    '}',
  ];
}

/** What the agent sets itself with `plainRoutes`: one route is enough, and one owner. */
function agentsPlainRoutes(facts: BgpFacts, family: Family, pools: readonly IpPool[]): string[] {
  const plain = netSet(cidrsOf(pools.filter((pool) => !isTunnelled(pool))), '+');
  const own = facts.nodes.find(({ name }) => name === facts.nodeName);
  const text = family === 4 ? own?.ipv4Address : own?.ipv6Address;
  const segment = text === undefined ? undefined : Cidr.tryParseInterface(text)?.cidr;
  const near = facts.nodes
    .map((node) => bgpAddress(node, family))
    .filter((address) => address !== undefined && segment?.contains(address) === true)
    .map(String);
  return [
    `  if source = RTS_STATIC && net ~ ${plain} then reject; # own blocks`,
    ...(near.length === 0
      ? []
      : [
          `  if source = RTS_BGP && net ~ ${plain} && bgp_next_hop ~ [ ${[...new Set(near)].sort().join(', ')} ] then reject; # hosts of this segment: the agent's too`,
        ]),
  ];
}

function isTunnelled({ ipipMode, vxlanMode }: IpPool): boolean {
  return ipipMode !== 'Never' || vxlanMode !== 'Never';
}

function toPeer(
  facts: BgpFacts,
  configurations: BgpConfigurations,
  family: Family,
  own: { readonly pools: readonly IpPool[]; readonly blocks: readonly Cidr[] },
): string[] {
  const { pools, blocks } = own;
  const kept = cidrsOf(pools.filter(({ disableBgpExport }) => disableBgpExport));
  return [
    `function calico_prefer${family}() {`,
    `  if source != RTS_BGP then bgp_local_pref = ${NORMAL_PREFERENCE};`,
    '}',
    `function calico_to_peer${family}() {`,
    '  if source = RTS_DEVICE then reject;',
    '  if source = RTS_INHERIT && (!defined(krt_source) || krt_source != 80) then reject;',
    `  if net ~ ${netSet(kept, '+')} then reject; # pools with disableBGPExport`,
    ...communities(facts, configurations, family),
    `  if net ~ ${netSet(blocks, '')} then accept; # own blocks as a whole`,
    `  if source != RTS_BGP && net ~ ${netSet(blocks, '+')} then reject;`,
    `  if net ~ ${netSet(cidrsOf(pools), '+')} then accept; # borrowed addresses, reflected routes`,
    '  reject;',
    '}',
  ];
}

function communities(
  { nodeName }: BgpFacts,
  configurations: BgpConfigurations,
  family: Family,
): string[] {
  const lines = configurations
    .advertisementsOf(nodeName)
    .filter(({ cidr }) => cidr.family === family)
    .flatMap(({ cidr, communities: texts }) =>
      texts.flatMap((text) => {
        const found = communityOf(configurations.communityValue(nodeName, text));
        if (found === undefined) return [];
        return `  if net ~ [ ${cidr}+ ] then ${found.attribute}.add(${found.value});`;
      }),
    );
  return [...new Set(lines)].sort();
}
