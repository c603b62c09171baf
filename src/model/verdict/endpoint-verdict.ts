import type { NetworkPolicy, PolicyDirection, Profile, Rule } from '../index.js';
import { appliedTiers, profilesOf, type Subject } from './applied.js';
import type { Decision, PolicyRef, Reason, Stage, Verdict } from './decision.js';
import { ruleMatches } from './rule-match.js';
import type { Packet, World } from './world.js';

/** What an endpoint's policies and profiles say of a packet. */
export type Judgement = Pick<Decision, 'verdict' | 'reason' | 'logged'>;

interface Asking {
  readonly world: World;
  readonly packet: Packet;
  readonly direction: PolicyDirection;
  readonly logged: (PolicyRef | { readonly profile: string })[];
}

/**
 * Tiers in order, then profiles (node-agent §5.1). Undefined when nothing decides: before tracking and
 * before DNAT later stages do, and a forwarded packet that no tier decides goes on.
 */
export function judgeEndpoint(
  world: World,
  subject: Subject,
  packet: Packet,
  at: { readonly direction: PolicyDirection; readonly stage: Stage },
): Judgement | undefined {
  const asking: Asking = { world, packet, direction: at.direction, logged: [] };
  const { logged } = asking;
  const final = at.stage === 'normal' || at.stage === 'forward';
  for (const { tier, policies } of appliedTiers(world, subject, at.direction, at.stage)) {
    const answer = askPolicies(asking, policies);
    if (answer === 'pass') continue;
    if (answer !== undefined) return { ...answer, logged };
    if (final && tier.defaultAction === 'Deny') {
      return { verdict: 'deny', reason: { type: 'end-of-tier', tier: tier.name }, logged };
    }
  }
  if (at.stage !== 'normal') return undefined;
  return { ...askProfiles(asking, profilesOf(subject)), logged };
}

interface Answer {
  readonly verdict: Verdict;
  readonly reason: Reason;
}

function askPolicies(
  asking: Asking,
  policies: readonly NetworkPolicy[],
): Answer | 'pass' | undefined {
  for (const policy of policies) {
    const { namespace } = policy;
    const ref: PolicyRef = {
      tier: policy.tier,
      policy: policy.name,
      ...(namespace === undefined ? {} : { namespace }),
    };
    if (policy.unsupported.length > 0) {
      const reason: Reason = { ...ref, type: 'unsupported', what: policy.unsupported };
      return { verdict: 'deny', reason };
    }
    const home = namespace === undefined ? {} : { namespace };
    for (const [index, rule] of rulesOf(policy, asking.direction).entries()) {
      if (!ruleMatches(asking.world, rule, home, asking.packet)) continue;
      if (rule.action === 'Pass') return 'pass';
      if (rule.action === 'Log') {
        asking.logged.push(ref);
        continue;
      }
      const verdict = rule.action === 'Allow' ? 'allow' : 'deny';
      return { verdict, reason: { ...ref, type: 'policy', rule: index } };
    }
  }
  return undefined;
}

function askProfiles(asking: Asking, names: readonly string[]): Answer {
  for (const name of names) {
    const profile = asking.world.profiles.find((each) => each.name === name);
    if (profile === undefined) {
      return { verdict: 'deny', reason: { type: 'missing-profile', profile: name } };
    }
    for (const [index, rule] of rulesOf(profile, asking.direction).entries()) {
      // Behind the profiles there is no tier to pass to.
      if (rule.action === 'Pass' || !ruleMatches(asking.world, rule, {}, asking.packet)) continue;
      if (rule.action === 'Log') {
        asking.logged.push({ profile: name });
        continue;
      }
      const verdict = rule.action === 'Allow' ? 'allow' : 'deny';
      return { verdict, reason: { type: 'profile', profile: name, rule: index } };
    }
  }
  return { verdict: 'deny', reason: { type: 'no-match', profiles: names } };
}

function rulesOf(
  owner: Pick<Profile, 'ingress' | 'egress'>,
  direction: PolicyDirection,
): readonly Rule[] {
  return direction === 'Ingress' ? owner.ingress : owner.egress;
}
