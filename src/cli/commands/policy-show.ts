import { Fault } from '../../base/index.js';
import type { NetworkPolicy, PolicyDirection, Rule } from '../../model/index.js';
import { stringifyJson } from '../../model/v3/index.js';
import {
  appliedTiers,
  effectiveLabels,
  profilesOf,
  workloadLabels,
  type Stage,
  type Subject,
} from '../../model/verdict/index.js';
import { findEnd, workloadLabel } from '../flow-words.js';
import type { Io } from '../io.js';
import { readWorld, type KnownWorld, type KnownWorkload } from '../policy-world.js';
import { ruleText } from '../rule-text.js';
import { withObjects, type SharedOptions } from '../session.js';
import { checkDocumentOutput } from './policy-trace.js';

export interface PolicyShowOptions extends SharedOptions {
  readonly output: string;
}

interface ShownPolicy {
  readonly name: string;
  readonly namespace?: string;
  readonly order?: number;
  readonly unsupported: readonly string[];
  readonly rules: readonly Rule[];
}

interface ShownProfile {
  readonly name: string;
  readonly exists: boolean;
  readonly rules: readonly Rule[];
}

/** One direction at one stage: what is asked, in order. */
interface ShownList {
  readonly direction: PolicyDirection;
  readonly stage: Stage;
  readonly tiers: readonly {
    readonly name: string;
    readonly defaultAction: string;
    readonly policies: readonly ShownPolicy[];
  }[];
  /** Absent where profiles are not asked. */
  readonly profiles?: readonly ShownProfile[];
}

interface Shown {
  readonly endpoint: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly lists: readonly ShownList[];
}

/** policy show: which tiers, policies and rules decide about an endpoint, in order. */
export async function policyShowCommand(
  io: Io,
  word: string,
  options: PolicyShowOptions,
): Promise<number> {
  checkDocumentOutput(options.output);
  return withObjects(io, options, async ({ store }) => {
    const world = await readWorld(io, store);
    const shown = showOf(world, word);
    io.out(options.output === 'json' ? `${stringifyJson(shown, 2)}\n` : render(shown));
    return 0;
  });
}

function showOf(world: KnownWorld, word: string): Shown {
  const hostEndpoint = world.hostEndpoints.find(({ name }) => name === word);
  if (hostEndpoint !== undefined) {
    const { node, expectedIPs, labels, profiles } = hostEndpoint;
    return {
      endpoint: `host endpoint ${word}, interface ${hostEndpoint.interfaceName ?? 'by address'}`,
      node,
      addresses: expectedIPs,
      labels: effectiveLabels(world, labels, profiles),
      lists: listsOf(world, { kind: 'hostEndpoint', hostEndpoint }, HOST_STAGES),
    };
  }
  const { end } = findEnd(world, word);
  if (end.type !== 'workload') {
    const message = `"${word}" is no endpoint; policies apply to endpoints and host endpoints: see calicoctl get wep -A and calicoctl get hep`;
    throw new Fault('not-found', message, { reason: 'unknown-end' });
  }
  const workload = knownOf(world, end.workload);
  return {
    endpoint: `endpoint ${workloadLabel(workload)}`,
    node: workload.node,
    addresses: workload.addresses.map(String),
    labels: workloadLabels(world, workload),
    lists: listsOf(world, { kind: 'workload', workload }, ['normal']),
  };
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

const STAGES: Readonly<Record<Stage, string>> = {
  untracked: ' before connection tracking',
  preDNAT: ' before DNAT',
  forward: ' of forwarded traffic',
  normal: '',
};

function render({ endpoint, node, addresses, labels, lists }: Shown): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const head = [
    `${endpoint} on ${node}`,
    `addresses: ${addresses.join(', ') || 'none'}`,
    `labels: ${pairs.sort().join(', ') || 'none'}`,
  ];
  return `${[...head, ...lists.flatMap(renderList)].join('\n')}\n`;
}

function renderList({ direction, stage, tiers, profiles }: ShownList): string[] {
  const lines = ['', `${direction}${STAGES[stage]}`];
  for (const { name, defaultAction, policies } of tiers) {
    lines.push(`  tier ${name}`);
    for (const policy of policies) lines.push(...renderPolicy(policy));
    const isLast = stage === 'normal' || stage === 'forward';
    lines.push(`    what none of them decides: ${isLast ? defaultAction : 'goes on'}`);
  }
  for (const { name, exists, rules } of profiles ?? []) {
    lines.push(`  profile ${name}${exists ? '' : ': does not exist, everything is denied'}`);
    lines.push(...renderRules(rules, '    '));
  }
  if (stage === 'normal') lines.push('  everything else: Deny');
  return lines;
}

function renderPolicy({ name, namespace, order, unsupported, rules }: ShownPolicy): string[] {
  const label = namespace === undefined ? name : `${namespace}/${name}`;
  const at = order === undefined ? '' : `, order ${order}`;
  if (unsupported.length === 0)
    return [`    policy ${label}${at}`, ...renderRules(rules, '      ')];
  return [`    policy ${label}${at}: denies all, it cannot be enforced: ${unsupported.join('; ')}`];
}

function renderRules(rules: readonly Rule[], indent: string): string[] {
  return rules.map((rule, index) => `${indent}${index}  ${ruleText(rule)}`);
}
