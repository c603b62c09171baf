/** Changes that change nothing that anybody could notice, each with why. */
export const equivalents: readonly (readonly [mutant: string, reason: string])[] = [
  [
    'src/agent/policy/rule-chains.ts RuleChains.setProfile: profile === undefined → false',
    'a profile that is kept as undefined is read as one that is absent',
  ],
  [
    'src/agent/policy/source-guard.ts SourceGuard.remove: sandbox === undefined || local === undefined → false',
    'it is only asked to remove what it was told to add',
  ],
  [
    'src/agent/policy/source-guard.ts SourceGuard.remove: sandbox.size === 0 → false',
    'a sandbox without members adds nothing to the next one of its name',
  ],
  [
    'src/agent/policy/member-set.ts FamilySet.settle: false → true',
    'rules that are written again because of it are the same, and the table sees no change',
  ],
];
