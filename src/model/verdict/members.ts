import {
  Address,
  Cidr,
  parseSelector,
  type Labels,
  type NamedPort,
  type SelectorNode,
} from '../index.js';
import type { Workload, World } from './world.js';

const NAMESPACE = 'projectcalico.org/namespace';
/** Labels of namespaces and service accounts stand with these in front; nobody may give them himself. */
const NAMESPACE_PREFIX = 'pcns.';
const ACCOUNT_PREFIX = 'pcsa.';

/** The labels that selectors see of an endpoint: its own, then its profiles' in order, the first wins. */
export function effectiveLabels(
  world: World,
  own: Labels,
  profiles: readonly string[],
): Record<string, string> {
  const labels = new Map(Object.entries(own));
  for (const name of profiles) {
    const profile = world.profiles.find((each) => each.name === name);
    for (const [label, value] of Object.entries(profile?.labelsToApply ?? {})) {
      if (!labels.has(label)) labels.set(label, value);
    }
  }
  return Object.fromEntries(labels);
}

export function workloadLabels(world: World, workload: Workload): Record<string, string> {
  const own = Object.fromEntries(
    Object.entries(workload.labels).filter(
      ([label]) => !label.startsWith(NAMESPACE_PREFIX) && !label.startsWith(ACCOUNT_PREFIX),
    ),
  );
  return effectiveLabels(world, { ...own, [NAMESPACE]: workload.namespace }, workload.profiles);
}

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

/** A condition on labels. */
export type LabelTest = (labels: Labels) => boolean;

/** Throws `invalid` for a selector that does not parse. */
export function selectorTest(text: string): LabelTest {
  const selector = parseSelector(text);
  return (labels) => selector.evaluate(labels);
}

/**
 * A namespace selector asks for labels of the namespace, which endpoints carry with a prefix;
 * `all()` is whoever has a namespace, `global()` whoever has none (datamodel §1.21).
 */
export function namespaceTest(text: string): LabelTest {
  const { root } = parseSelector(text);
  return (labels) => holds(root, labels);
}

function holds(node: SelectorNode, labels: Labels): boolean {
  switch (node.type) {
    case 'all':
      return Object.hasOwn(labels, NAMESPACE);
    case 'global':
      return !Object.hasOwn(labels, NAMESPACE);
    case 'not':
      return !holds(node.operand, labels);
    case 'and':
      return node.operands.every((operand) => holds(operand, labels));
    case 'or':
      return node.operands.some((operand) => holds(operand, labels));
    case 'has':
      return Object.hasOwn(labels, NAMESPACE_PREFIX + node.label);
    case 'compare':
    case 'member':
      return leafHolds(node, labels);
  }
}

function leafHolds(
  node: Extract<SelectorNode, { type: 'compare' | 'member' }>,
  labels: Labels,
): boolean {
  const label = NAMESPACE_PREFIX + node.label;
  const found = Object.hasOwn(labels, label) ? labels[label] : undefined;
  if (node.type === 'member') {
    return (found !== undefined && node.values.includes(found)) !== node.negated;
  }
  if (found === undefined) return node.operator === '!=';
  switch (node.operator) {
    case '==':
      return found === node.value;
    case '!=':
      return found !== node.value;
    case 'contains':
      return found.includes(node.value);
    case 'starts with':
      return found.startsWith(node.value);
    case 'ends with':
      return found.endsWith(node.value);
  }
}

/** Whether the address belongs to something whose labels pass the test. */
export function isMember(world: World, test: LabelTest, address: Address): boolean {
  return membersOf(world).some(
    ({ labels, nets }) => test(labels) && nets.some((net) => net.contains(address)),
  );
}

/** Whether the address belongs to an endpoint that passes the test and calls this port by the name. */
export function hasNamedPort(
  world: World,
  test: LabelTest,
  address: Address,
  wanted: { readonly name: string; readonly protocol: number; readonly port: number },
): boolean {
  return membersOf(world).some(
    ({ labels, nets, ports }) =>
      test(labels) &&
      nets.some((net) => net.contains(address)) &&
      ports.some(
        ({ name, protocol, port }) =>
          name === wanted.name &&
          port === wanted.port &&
          protocolNumber(protocol) === wanted.protocol,
      ),
  );
}

const NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
};

/** The number of a protocol as stored; undefined when it is none. */
export function protocolNumber(protocol: string | number): number | undefined {
  const text = String(protocol).toLowerCase();
  const number = NUMBERS[text] ?? (/^\d{1,3}$/.test(text) ? Number(text) : undefined);
  return number !== undefined && number >= 1 && number <= 255 ? number : undefined;
}
