import type { Labels } from '../index.js';
import type { Workload, World } from './world.js';

export const NAMESPACE = 'projectcalico.org/namespace';
/** Labels of namespaces and service accounts stand with these in front; nobody may give them himself. */
export const NAMESPACE_PREFIX = 'pcns.';
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
