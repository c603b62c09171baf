import {
  Cidr,
  type Address,
  type FailsafePort,
  type PortProtocol,
  type Profile,
  type PublishedPort,
} from '../model/index.js';
import { isAutomatic, NAMESPACE_LABEL } from '../model/v3/index.js';
import {
  defaultVerdictSettings,
  denialOfConnection,
  type Denial,
  type HostSide,
  type LocalSide,
  type Packet,
  type ReachOfHosts,
  type Workload,
  type World,
} from '../model/verdict/index.js';
import type { DecidesAt, DecidesAtHost, FactsAt, PolicyFacts } from './policy/index.js';

/**
 * Whether the policies of this host's containers forbid a connection: as a second opinion, from the
 * meaning of the policies and not from the rules. Its world is only what concerns the two addresses.
 */
export function isForbidden(
  facts: PolicyFacts,
  flow: Packet & { readonly translated?: true },
  reach: ReachOfHosts,
): boolean {
  const localAt = (address: Address): LocalSide | undefined => {
    const decides = facts.decidesAt(address);
    return decides && sideOf(facts, flow, decides);
  };
  const hostAt = (address: Address): HostSide | undefined => {
    const decides = facts.hostAt(address);
    return decides && hostSideOf(facts, flow, decides);
  };
  const denial = denialOfConnection(flow, { localAt, hostAt }, reach);
  if (denial === undefined) return false;
  if (denial.direction === 'Egress' || flow.translated !== true) return true;
  // Of a host endpoint's denials those of its own processes: no port of theirs leads to a container.
  const local = facts.decidesAt(flow.destination)?.local;
  if (local === undefined || !isOpen(local.published ?? [], flow)) return true;
  return !profilesOpen(facts, local.profiles, denial.reason);
}

/** An automatic profile lets published ports in, unless a policy or a profile before it has decided. */
function profilesOpen(
  facts: PolicyFacts,
  profiles: readonly string[],
  reason: Denial['reason'],
): boolean {
  const asked =
    reason.type === 'profile' || reason.type === 'missing-profile'
      ? profiles.slice(0, profiles.indexOf(reason.profile))
      : reason.type === 'no-match'
        ? profiles
        : [];
  return asked.some((name) => {
    const profile = facts.profile(name);
    return profile !== undefined && isAutomatic(profile);
  });
}

const NUMBERS: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** A port of the host leads there. */
function isOpen(published: readonly PublishedPort[], flow: Packet): boolean {
  const destination = String(flow.destination);
  return published.some(
    ({ protocol, address, port }) =>
      NUMBERS[protocol] === flow.protocol &&
      address === destination &&
      port === flow.destinationPort,
  );
}

function sideOf(
  facts: PolicyFacts,
  packet: Packet,
  { local, policies, tiers }: DecidesAt,
): LocalSide {
  const workload = workloadOf(local.labels, local);
  const world: World = {
    ...membersOf(facts, [packet.source, packet.destination]),
    ...{ policies, tiers, nodes: [], settings: defaultVerdictSettings },
    profiles: [],
  };
  return { workload, world: withProfiles(facts, world, workload.profiles) };
}

function hostSideOf(facts: PolicyFacts, packet: Packet, decides: DecidesAtHost): HostSide {
  const { host, endpoints, policies, tiers, settings, encapsulation } = decides;
  const members = membersOf(facts, [packet.source, packet.destination]);
  const { failsafeInbound: inbound, failsafeOutbound: outbound } = settings;
  const world: World = {
    ...members,
    ...{ policies, tiers, nodes: [], profiles: [] },
    hostEndpoints: [...endpoints, ...members.hostEndpoints],
    settings: {
      ...defaultVerdictSettings,
      ...(inbound === undefined ? {} : { failsafeInbound: inbound.map(inWords) }),
      ...(outbound === undefined ? {} : { failsafeOutbound: outbound.map(inWords) }),
      ...encapsulation,
    },
  };
  const node = endpoints[0]?.node ?? '';
  return { host, node, world: withProfiles(facts, world, []) };
}

/** The evaluator takes networks as text. */
function inWords({ net, ...port }: FailsafePort): World['settings']['failsafeInbound'][number] {
  return { ...port, ...(net === undefined ? {} : { net: String(net) }) };
}

/** Those of all that the world knows, and these. */
function withProfiles(facts: PolicyFacts, world: World, more: readonly string[]): World {
  const profiles = new Set([...more, ...world.workloads.flatMap((one) => one.profiles)]);
  for (const set of world.networkSets) profiles.add(`kns.${set.namespace ?? ''}`);
  for (const host of world.hostEndpoints) for (const name of host.profiles) profiles.add(name);
  const known = [...profiles].map((name) => facts.profile(name));
  const present = known.filter((one): one is Profile => one !== undefined);
  return { ...world, profiles: present };
}

type Members = Pick<World, 'workloads' | 'hostEndpoints' | 'networkSets'>;

function membersOf(facts: PolicyFacts, addresses: readonly Address[]): Members {
  const found = addresses.map((address) => ({ address, at: facts.at(address) }));
  const of = <T>(
    kind: FactsAt['kind'],
    make: (one: FactsAt['facts'], address: Address, index: number) => T,
  ): T[] =>
    found.flatMap(({ address, at }) =>
      at.flatMap((one, index) => (one.kind === kind ? [make(one.facts, address, index)] : [])),
    );
  return {
    workloads: of('endpoint', (one) => workloadOf(one.labels, one)),
    hostEndpoints: of('host', (one, address, index) => ({
      ...{ name: `${address} ${index}`, node: '', expectedIPs: [String(address)] },
      ...{ profiles: one.profiles, ports: one.ports ?? [], labels: one.labels },
    })),
    networkSets: of('set', (one, address, index) => {
      const namespace = one.labels[NAMESPACE_LABEL];
      return {
        ...{ name: `${address} ${index}`, nets: [Cidr.host(address)], labels: one.labels },
        ...(namespace === undefined ? {} : { namespace }),
      };
    }),
  };
}

function workloadOf(
  labels: Readonly<Record<string, string>>,
  one: Pick<FactsAt['facts'], 'addresses' | 'profiles' | 'ports'>,
): Workload {
  const { addresses, profiles, ports = [] } = one;
  const namespace = labels[NAMESPACE_LABEL] ?? '';
  return { namespace, name: '', node: '', labels, addresses, profiles, ports };
}
