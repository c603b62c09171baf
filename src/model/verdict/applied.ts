import type { HostEndpoint, Labels, NetworkPolicy, PolicyDirection, Tier } from '../index.js';
import type { Stage } from './decision.js';
import { namespaceTest, selectorTest } from './label-test.js';
import { effectiveLabels, workloadLabels } from './labels.js';
import type { Workload, World } from './world.js';

/** An endpoint that policies apply to. */
export type Subject =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'hostEndpoint'; readonly hostEndpoint: HostEndpoint };

/** The policies of one tier that apply, in the order in which they are asked. */
export interface AppliedTier {
  readonly tier: Tier;
  readonly policies: readonly NetworkPolicy[];
}

// A world is a value: what applies to an endpoint in it stays the same.
const answers = new WeakMap<World, WeakMap<object, Map<string, readonly AppliedTier[]>>>();

/** What decides about an endpoint's flows of one direction. */
export function appliedTiers(
  world: World,
  subject: Subject,
  direction: PolicyDirection,
  stage: Stage,
): readonly AppliedTier[] {
  const inWorld = answers.get(world) ?? new WeakMap<object, Map<string, readonly AppliedTier[]>>();
  answers.set(world, inWorld);
  const owner = subject.kind === 'workload' ? subject.workload : subject.hostEndpoint;
  const known = inWorld.get(owner) ?? new Map<string, readonly AppliedTier[]>();
  inWorld.set(owner, known);
  const key = `${direction} ${stage}`;
  const answer = known.get(key) ?? computeTiers(world, subject, direction, stage);
  known.set(key, answer);
  return answer;
}

function computeTiers(
  world: World,
  subject: Subject,
  direction: PolicyDirection,
  stage: Stage,
): AppliedTier[] {
  const labels = labelsOf(world, subject);
  const applying = world.policies.filter(
    (policy) =>
      policy.types.includes(direction) &&
      isAtStage(policy, subject, stage) &&
      selects(policy, subject, labels),
  );
  const names = [...new Set(applying.map(({ tier }) => tier))];
  return names
    .map((name) => tierOf(world, name))
    .sort(byOrder)
    .map((tier) => ({
      tier,
      policies: applying.filter((policy) => policy.tier === tier.name).sort(byOrder),
    }));
}

export function profilesOf(subject: Subject): readonly string[] {
  return subject.kind === 'workload' ? subject.workload.profiles : subject.hostEndpoint.profiles;
}

function isAtStage(policy: NetworkPolicy, { kind }: Subject, stage: Stage): boolean {
  const plain = !policy.doNotTrack && !policy.preDNAT;
  if (kind === 'workload') return plain;
  switch (stage) {
    case 'untracked':
      return policy.doNotTrack;
    case 'preDNAT':
      return policy.preDNAT && !policy.doNotTrack;
    case 'forward':
      return plain && policy.applyOnForward;
    case 'normal':
      return plain;
  }
}

function selects(policy: NetworkPolicy, subject: Subject, labels: Labels): boolean {
  const { namespace, namespaceSelector } = policy;
  if (namespace !== undefined) {
    if (subject.kind !== 'workload' || subject.workload.namespace !== namespace) return false;
  }
  if (namespaceSelector !== undefined && !namespaceTest(namespaceSelector)(labels)) return false;
  return selectorTest(policy.selector)(labels);
}

function labelsOf(world: World, subject: Subject): Labels {
  if (subject.kind === 'workload') return workloadLabels(world, subject.workload);
  const { labels, profiles } = subject.hostEndpoint;
  return effectiveLabels(world, labels, profiles);
}

/** Every datastore has these, also one so old that it does not hold them (node-agent §5.2). */
const BUILT_IN: readonly Tier[] = [
  { name: 'kube-admin', order: 1000, defaultAction: 'Pass' },
  { name: 'default', order: 1_000_000, defaultAction: 'Deny' },
  { name: 'kube-baseline', order: 10_000_000, defaultAction: 'Pass' },
];

/** A tier that does not exist is asked last and denies: the policies in it were meant to restrict. */
function tierOf({ tiers }: World, name: string): Tier {
  const known = [...tiers, ...BUILT_IN].find((tier) => tier.name === name);
  return known ?? { name, defaultAction: 'Deny' };
}

interface Ordered {
  readonly order?: number;
  readonly name: string;
  readonly namespace?: string;
}

/** Lower first, without an order last, equals by name and then namespace. */
function byOrder(left: Ordered, right: Ordered): number {
  const orders: [number, number] = [left.order ?? Infinity, right.order ?? Infinity];
  if (orders[0] !== orders[1]) return orders[0] < orders[1] ? -1 : 1;
  if (left.name !== right.name) return left.name < right.name ? -1 : 1;
  const namespaces: [string, string] = [left.namespace ?? '', right.namespace ?? ''];
  return namespaces[0] < namespaces[1] ? -1 : namespaces[0] > namespaces[1] ? 1 : 0;
}
