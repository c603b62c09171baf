import { Address, Cidr, type Labels, type NamedPort } from '../index.js';
import { effectiveLabels, workloadLabels } from './labels.js';
import type { LabelTest } from './label-test.js';
import { protocolNumber } from './protocol-number.js';
import type { World } from './world.js';

/** Something with labels that stands for networks: an endpoint, an interface of a host, a network set. */
interface Member {
  readonly labels: Labels;
  readonly nets: readonly Cidr[];
  readonly ports: readonly NamedPort[];
}

function membersOf(world: World): Member[] {
  return [
    ...world.workloads.map((workload) => ({
      labels: workloadLabels(world, workload),
      nets: workload.addresses.map((address) => Cidr.host(address)),
      ports: workload.ports,
    })),
    ...world.hostEndpoints.map(({ labels, profiles, expectedIPs, ports }) => ({
      labels: effectiveLabels(world, labels, profiles),
      nets: expectedIPs
        .map((text) => Address.tryParse(text))
        .filter((address) => address !== undefined)
        .map((address) => Cidr.host(address)),
      ports,
    })),
    ...world.networkSets.map(({ namespace, labels, nets }) => ({
      labels: effectiveLabels(world, labels, namespace === undefined ? [] : [`kns.${namespace}`]),
      nets,
      ports: [],
    })),
  ];
}

/** Members by their addresses; those with whole networks apart. */
interface MemberIndex {
  readonly byAddress: ReadonlyMap<string, readonly Member[]>;
  readonly wide: readonly Member[];
}

// A world is a value: what is found out about it once stays true.
const indexes = new WeakMap<World, MemberIndex>();

function indexOf(world: World): MemberIndex {
  const known = indexes.get(world);
  if (known !== undefined) return known;
  const byAddress = new Map<string, Member[]>();
  const wide: Member[] = [];
  for (const member of membersOf(world)) {
    if (member.nets.some((net) => !net.isHost)) {
      wide.push(member);
      continue;
    }
    for (const { base } of member.nets) {
      byAddress.set(String(base), [...(byAddress.get(String(base)) ?? []), member]);
    }
  }
  const index = { byAddress, wide };
  indexes.set(world, index);
  return index;
}

/** Everything that the address belongs to. */
function membersAt(world: World, address: Address): readonly Member[] {
  const { byAddress, wide } = indexOf(world);
  const around = wide.filter(({ nets }) => nets.some((net) => net.contains(address)));
  return [...(byAddress.get(String(address)) ?? []), ...around];
}

/** Whether the address belongs to something whose labels pass the test. */
export function isMember(world: World, test: LabelTest, address: Address): boolean {
  return membersAt(world, address).some(({ labels }) => test(labels));
}

/** Whether the address belongs to an endpoint that passes the test and calls this port by the name. */
export function hasNamedPort(
  world: World,
  test: LabelTest,
  address: Address,
  wanted: { readonly name: string; readonly protocol: number; readonly port: number },
): boolean {
  return membersAt(world, address).some(
    ({ labels, ports }) =>
      test(labels) &&
      ports.some(
        ({ name, protocol, port }) =>
          name === wanted.name &&
          port === wanted.port &&
          protocolNumber(protocol) === wanted.protocol,
      ),
  );
}
