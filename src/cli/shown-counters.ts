import type { CountersAnswer } from '../admin/index.js';
import { isFault, messageOf } from '../base/index.js';
import type { CountedEndpoint, CountedList, RuleCount } from '../model/index.js';
import type { Io } from './io.js';
import type { Shown, ShownList } from './shown-policies.js';

/** What the numbers beside rules mean; several endpoints share them. */
export const WHAT_COUNTS =
  'packets that a rule matched on this host, of all endpoints that it applies to, since it was last written; of a connection only the packets until it is established. What came to an end counts for all endpoints with the same policies';

/** Whether there are counters, and whose. */
export interface CountersNote {
  /** The host whose kernel counted. */
  readonly node?: string;
  /** What they count, or why there are none. */
  readonly note: string;
}

export interface ShownWithCounters extends Shown {
  readonly counters: CountersNote;
}

/** Counters stand in the kernel of the endpoint's host: asked is the daemon of this one. */
export async function withCounters(
  io: Io,
  shown: Shown,
  subject: CountedEndpoint,
): Promise<ShownWithCounters> {
  const none = (note: string): ShownWithCounters => ({ ...shown, counters: { note } });
  let answer: CountersAnswer;
  try {
    answer = await io.readCounters(subject);
  } catch (error) {
    if (!isFault(error)) throw error;
    return none(
      `they are on ${shown.node}, and the daemon here does not answer: ${messageOf(error)}`,
    );
  }
  const { node, dataplane, lists } = answer;
  if (node !== shown.node) {
    return none(`not known here, on ${node}: run this on ${shown.node}, where the endpoint is`);
  }
  if (dataplane === 'external') return none('not known, the Felix of this host enforces policy');
  if (lists === undefined) return none('not known, the daemon does not judge this endpoint now');
  const counted = shown.lists.map((list) => counterpart(list, lists));
  return { ...shown, lists: counted, counters: { node, note: WHAT_COUNTS } };
}

function counterpart(list: ShownList, lists: readonly CountedList[]): ShownList {
  const found = lists.find(
    ({ direction, stage }) => direction === list.direction && stage === list.stage,
  );
  if (found === undefined) return list;
  const named = <T extends { readonly name: string }>(all: readonly T[], name: string) =>
    all.find((each) => each.name === name);
  const beside = (length: number, rules: readonly (RuleCount | null)[] | undefined) =>
    rules === undefined
      ? {}
      : { counters: Array.from({ length }, (_, place) => rules[place] ?? null) };
  const tiers = list.tiers.map((tier) => {
    const own = named(found.tiers, tier.name);
    if (own === undefined) return tier;
    const policies = tier.policies.map((policy) => {
      const { name, namespace, rules } = policy;
      const id = namespace === undefined ? name : `${namespace}/${name}`;
      return { ...policy, ...beside(rules.length, named(own.policies, id)?.rules) };
    });
    return { ...tier, policies, denied: own.ended };
  });
  if (list.profiles === undefined) return { ...list, tiers };
  const profiles = list.profiles.map((profile) => {
    const rules = named(found.profiles, profile.name)?.rules;
    return { ...profile, ...beside(profile.rules.length, rules) };
  });
  return { ...list, tiers, profiles, denied: found.denied };
}
