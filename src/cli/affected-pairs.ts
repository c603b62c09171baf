import type { PolicyDirection } from '../model/index.js';
import { stringifyJson } from '../model/v3/index.js';
import {
  appliedTiers,
  effectiveLabels,
  profilesOf,
  workloadLabels,
  type Stage,
  type Subject,
} from '../model/verdict/index.js';
import type { KnownWorld } from './policy-world.js';
import type { ProbeGroup } from './probe-ends.js';

const STAGES: readonly Stage[] = ['untracked', 'preDNAT', 'forward', 'normal'];
const DIRECTIONS: readonly PolicyDirection[] = ['Ingress', 'Egress'];

/**
 * Between which ends a verdict can differ at all. As long as nothing changes in what selectors find,
 * it is where the source's egress or the destination's ingress is decided by another list; else all.
 */
export function affectedPairs(
  before: KnownWorld,
  after: KnownWorld,
  groups: readonly ProbeGroup[],
): (from: ProbeGroup, to: ProbeGroup) => boolean {
  if (surroundings(before) !== surroundings(after)) return () => true;
  const affected = (direction: PolicyDirection): ReadonlySet<ProbeGroup> =>
    new Set(
      groups.filter(
        (group) => decides(before, group, direction) !== decides(after, group, direction),
      ),
    );
  const [sources, destinations] = [affected('Egress'), affected('Ingress')];
  return (from, to) => sources.has(from) || destinations.has(to);
}

/** All that rules look at beside the rules themselves. */
function surroundings(world: KnownWorld): string {
  const { workloads, hostEndpoints, networkSets, nodes, settings, nodeSettings } = world;
  return stringifyJson([
    workloads.map((workload) => [workload, workloadLabels(world, workload)]),
    hostEndpoints.map((each) => [each, effectiveLabels(world, each.labels, each.profiles)]),
    ...[networkSets, nodes, settings, nodeSettings],
  ]);
}

/** What decides at one end: its own list, and for both directions those of its host. */
function decides(world: KnownWorld, { ends }: ProbeGroup, direction: PolicyDirection): string {
  const [first] = ends;
  if (first === undefined || first.end.type === 'outside') return '';
  const node = first.end.type === 'workload' ? first.end.workload.node : first.end.node;
  const guards = world.hostEndpoints
    .filter((each) => each.node === node)
    .flatMap((hostEndpoint) =>
      DIRECTIONS.map((each) => listOf(world, { kind: 'hostEndpoint', hostEndpoint }, each)),
    );
  if (first.end.type === 'host') return stringifyJson(guards);
  const { namespace, name } = first.end.workload;
  const own = world.workloads.find((each) => each.namespace === namespace && each.name === name);
  const lists =
    own === undefined ? [] : listOf(world, { kind: 'workload', workload: own }, direction);
  return stringifyJson([lists, guards]);
}

function listOf(world: KnownWorld, subject: Subject, direction: PolicyDirection): unknown {
  const stages = subject.kind === 'workload' ? (['normal'] as const) : STAGES;
  const names = profilesOf(subject);
  return [
    stages.map((stage) => appliedTiers(world, subject, direction, stage)),
    names.map((name) => world.profiles.find((each) => each.name === name) ?? null),
  ];
}
