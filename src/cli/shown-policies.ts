import { Fault } from '../base/index.js';
import type {
  CountedEndpoint,
  NetworkPolicy,
  PolicyDirection,
  Rule,
  RuleCount,
} from '../model/index.js';
import {
  appliedTiers,
  effectiveLabels,
  profilesOf,
  workloadLabels,
  type Stage,
  type Subject,
} from '../model/verdict/index.js';
import { findEnd, workloadLabel } from './flow-words.js';
import type { KnownWorld, KnownWorkload } from './policy-world.js';

/** Beside each rule what the kernel counted; null: no rule of the kernel stands for it. Absent: not known. */
interface Counted {
  readonly counters?: readonly (RuleCount | null)[];
}

export interface ShownPolicy extends Counted {
  readonly name: string;
  readonly namespace?: string;
  readonly order?: number;
  readonly unsupported: readonly string[];
  readonly rules: readonly Rule[];
}

export interface ShownProfile extends Counted {
  readonly name: string;
  readonly exists: boolean;
  readonly rules: readonly Rule[];
}

export interface ShownTier {
  readonly name: string;
  readonly defaultAction: string;
  readonly policies: readonly ShownPolicy[];
  /** What came to the tier's end and was denied there. */
  readonly denied?: RuleCount | null;
}

/** One direction at one stage: what is asked, in order. */
export interface ShownList {
  readonly direction: PolicyDirection;
  readonly stage: Stage;
  readonly tiers: readonly ShownTier[];
  /** Absent where profiles are not asked. */
  readonly profiles?: readonly ShownProfile[];
  /** What nothing decided. */
  readonly denied?: RuleCount | null;
}

/** What decides about an endpoint, for `policy show`. */
export interface Shown {
  readonly endpoint: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly lists: readonly ShownList[];
}

/** What a word means, and what decides there; throws `not-found` or `invalid` when it is no endpoint. */
export function showOf(
  world: KnownWorld,
  word: string,
): { readonly shown: Shown; readonly subject: CountedEndpoint } {
  const hostEndpoint = world.hostEndpoints.find(({ name }) => name === word);
  if (hostEndpoint !== undefined) {
    const { node, expectedIPs, labels, profiles } = hostEndpoint;
    const shown = {
      endpoint: `host endpoint ${word}, interface ${hostEndpoint.interfaceName ?? 'by address'}`,
      node,
      addresses: expectedIPs,
      labels: effectiveLabels(world, labels, profiles),
      lists: listsOf(world, { kind: 'hostEndpoint', hostEndpoint }, HOST_STAGES),
    };
    return { shown, subject: { kind: 'host', id: word } };
  }
  const { end } = findEnd(world, word);
  if (end.type !== 'workload') {
    const message = `"${word}" is no endpoint; policies apply to endpoints and host endpoints: see calicoctl get wep -A and calicoctl get hep`;
    throw new Fault('not-found', message, { reason: 'unknown-end' });
  }
  const workload = knownOf(world, end.workload);
  const shown = {
    endpoint: `endpoint ${workloadLabel(workload)}`,
    node: workload.node,
    addresses: workload.addresses.map(String),
    labels: workloadLabels(world, workload),
    lists: listsOf(world, { kind: 'workload', workload }, ['normal']),
  };
  return { shown, subject: { kind: 'workload', id: workload.agentId } };
}

const HOST_STAGES: readonly Stage[] = ['untracked', 'preDNAT', 'normal', 'forward'];

function knownOf({ workloads }: KnownWorld, { namespace, name }: KnownId): KnownWorkload {
  const found = workloads.find((each) => each.namespace === namespace && each.name === name);
  if (found !== undefined) return found;
  throw new Fault('internal', `invariant broken: endpoint ${namespace}/${name} was not read`);
}
type KnownId = Pick<KnownWorkload, 'namespace' | 'name'>;

function listsOf(world: KnownWorld, subject: Subject, stages: readonly Stage[]): ShownList[] {
  const directions: readonly PolicyDirection[] = ['Ingress', 'Egress'];
  return stages.flatMap((stage) =>
    directions
      .map((direction) => listOf(world, subject, direction, stage))
      .filter(({ tiers }) => stage === 'normal' || tiers.length > 0),
  );
}

function listOf(
  world: KnownWorld,
  subject: Subject,
  direction: PolicyDirection,
  stage: Stage,
): ShownList {
  const rulesOf = (owner: Pick<NetworkPolicy, 'ingress' | 'egress'>): readonly Rule[] =>
    direction === 'Ingress' ? owner.ingress : owner.egress;
  const tiers = appliedTiers(world, subject, direction, stage).map(({ tier, policies }) => ({
    name: tier.name,
    defaultAction: tier.defaultAction,
    policies: policies.map((policy) => ({
      name: policy.name,
      ...(policy.namespace === undefined ? {} : { namespace: policy.namespace }),
      ...(policy.order === undefined ? {} : { order: policy.order }),
      unsupported: policy.unsupported,
      rules: rulesOf(policy),
    })),
  }));
  if (stage !== 'normal') return { direction, stage, tiers };
  const profiles = profilesOf(subject).map((name) => {
    const profile = world.profiles.find((each) => each.name === name);
    return {
      name,
      exists: profile !== undefined,
      rules: profile === undefined ? [] : rulesOf(profile),
    };
  });
  return { direction, stage, tiers, profiles };
}
