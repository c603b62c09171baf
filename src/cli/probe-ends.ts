import { Address, Cidr, families, type Rule } from '../model/index.js';
import { effectiveLabels, protocolNumber, workloadLabels } from '../model/verdict/index.js';
import { hostEnd, workloadEnd, type NamedEnd } from './flow-words.js';
import type { KnownWorld } from './policy-world.js';

/** Ends that no rule of the worlds in question tells apart. */
export interface ProbeGroup {
  readonly ends: readonly NamedEnd[];
}

const MOST_OUTSIDE = 64;

export function rulesOf(worlds: readonly KnownWorld[]): Rule[] {
  return worlds.flatMap(({ policies, profiles }) =>
    [...policies, ...profiles].flatMap(({ ingress, egress }) => [...ingress, ...egress]),
  );
}

/** Endpoints, hosts and addresses outside, those together that are alike in all that policies look at. */
export function probeGroups(before: KnownWorld, after: KnownWorld): ProbeGroup[] {
  const nets = netsOf([before, after]);
  const groups = new Map<string, NamedEnd[]>();
  const put = (end: NamedEnd, traits: unknown): void => {
    const inside = nets.map((net) => end.addresses.some((address) => net.contains(address)));
    const kinds = end.addresses.map(({ family }) => family);
    const key = JSON.stringify([end.end.type, kinds, inside, traits]);
    groups.set(key, [...(groups.get(key) ?? []), end]);
  };
  for (const workload of after.workloads) {
    const { namespace, node, profiles, ports } = workload;
    const labels = [before, after].map((world) => sorted(workloadLabels(world, workload)));
    const own = before.workloads.find(
      (each) => each.namespace === namespace && each.name === workload.name,
    );
    const earlier = own === undefined ? undefined : sorted(workloadLabels(before, own));
    const traits = [namespace, labels, earlier, profiles, ports, guardsOf(node)];
    put(workloadEnd(workload), traits);
  }
  for (const { name, addresses } of after.nodes) {
    if (addresses.length > 0) put(hostEnd(name, addresses), guardsOf(name));
  }
  for (const address of strangers(nets, after)) {
    put({ end: { type: 'outside' }, label: String(address), addresses: [address] }, '');
  }
  return [...groups.values()].map((ends) => ({ ends }));

  /** A host's own endpoints and settings decide about what passes it: then it matters where an endpoint is. */
  function guardsOf(node: string): unknown {
    const guards = [before, after].map((world) =>
      world.hostEndpoints
        .filter((each) => each.node === node)
        .map(({ labels, profiles, interfaceName, expectedIPs }) => [
          ...[sorted(effectiveLabels(world, labels, profiles)), profiles],
          ...[interfaceName, expectedIPs],
        ]),
    );
    const own = [before, after].some((world) => world.nodeSettings?.[node] !== undefined);
    return guards.every((list) => list.length === 0) && !own ? '' : [node, guards];
  }
}

const sorted = (labels: Readonly<Record<string, string>>): unknown =>
  Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));

/** Every network that a rule or a network set names. */
function netsOf(worlds: readonly KnownWorld[]): Cidr[] {
  const texts = rulesOf(worlds).flatMap(({ source, destination }) =>
    [source, destination].flatMap((side) => [...(side?.nets ?? []), ...(side?.notNets ?? [])]),
  );
  const nets = [
    ...texts.map((text) => Cidr.tryParse(text)).filter((net) => net !== undefined),
    ...worlds.flatMap(({ networkSets }) => networkSets.flatMap((set) => set.nets)),
  ];
  return [...new Map(nets.map((net) => [String(net), net])).values()];
}

/** An address in each network, and one of each family in none: documentation networks (RFC 5737, RFC 3849). */
function strangers(nets: readonly Cidr[], world: KnownWorld): Address[] {
  const known = new Set(
    [...world.workloads, ...world.nodes].flatMap(({ addresses }) => addresses.map(String)),
  );
  const inside = nets
    .slice(0, MOST_OUTSIDE)
    .map((net) => (net.isHost ? net.base : net.addressAt(1)))
    .filter((address) => !known.has(String(address)));
  const outside = families.flatMap((family) => {
    const candidates =
      family === 4 ? ['203.0.113.250', '192.0.2.250', '198.51.100.250'] : ['2001:db8:ffff::1'];
    const free = candidates
      .map((text) => Address.parse(text))
      .find((address) => !nets.some((net) => net.prefix > 0 && net.contains(address)));
    return free === undefined ? [] : [free];
  });
  return [...outside, ...inside];
}

const MOST_PORTS = 100;

/** Ports as `policy trace` takes them: those that rules name, and of each usual protocol one that none names. */
export function probePorts(worlds: readonly KnownWorld[]): string[] {
  const named = new Set<string>();
  const numbers = new Set<number>();
  for (const rule of rulesOf(worlds)) {
    const protocol = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol);
    const word = wordOf(protocol ?? 6);
    const { type, code } = rule.icmp ?? rule.notICMP ?? {};
    if (type !== undefined) named.add(`icmp/${type}/${code ?? 0}`);
    const list = [...(rule.destination?.ports ?? []), ...(rule.destination?.notPorts ?? [])];
    if (list.length === 0 && protocol !== undefined && !/^[a-z]/.test(word)) named.add(word);
    for (const item of list.map(String)) {
      for (const number of numbersOf(item, worlds)) {
        numbers.add(number);
        if (/^(?:tcp|udp|sctp)$/.test(word)) named.add(`${word}/${number}`);
      }
    }
  }
  const free = [9, 9009, 49_009].find((port) => !numbers.has(port)) ?? 60_009;
  return [`tcp/${free}`, `udp/${free}`, 'icmp', ...[...named].slice(0, MOST_PORTS)];
}

function wordOf(protocol: number): string {
  return { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp', 132: 'sctp' }[protocol] ?? String(protocol);
}

/** A port, both ends of a range, or what endpoints mean by a name. */
function numbersOf(item: string, worlds: readonly KnownWorld[]): number[] {
  if (/^\d+(?::\d+)?$/.test(item)) return item.split(':').map(Number);
  return worlds.flatMap(({ workloads, hostEndpoints }) =>
    [...workloads, ...hostEndpoints].flatMap(({ ports }) =>
      ports.filter(({ name }) => name === item).map(({ port }) => port),
    ),
  );
}
