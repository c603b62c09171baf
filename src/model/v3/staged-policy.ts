import type { Kind } from './kind.js';
import { policyKeyNames } from './policy-names.js';
import {
  checkPolicy,
  checkPolicyName,
  completePolicy,
  policyColumns,
  policyHeadings,
  policyWideHeadings,
  shownPolicy,
} from './policy-parts.js';
import type { Problem } from './problem.js';
import { stringOf, type Resource } from './resource.js';

/** A staged deletion names a policy, and says nothing else of it. */
function checkDeletion({ spec }: Resource): Problem[] {
  if (stringOf(spec, 'stagedAction') !== 'Delete') return [];
  const others = Object.keys(spec).filter((member) => !['stagedAction', 'tier'].includes(member));
  if (others.length === 0) return [];
  const reason = `with stagedAction Delete only tier can stand beside it, found ${others.join(', ')}`;
  return [{ field: 'spec', reason }];
}

/** What the two kinds of staged policies share: they are stored and shown, and nothing enforces them. */
export const stagedPolicyParts = {
  columns: policyColumns,
  tableHeadings: policyHeadings,
  wideHeadings: policyWideHeadings,
  checkName: checkPolicyName,
  keyNames: policyKeyNames,
  shown: shownPolicy,
  complete: (resource) => {
    resource.spec['stagedAction'] = stringOf(resource.spec, 'stagedAction', 'Set');
    completePolicy(resource);
  },
  check: (resource) => [...checkPolicy(resource), ...checkDeletion(resource)],
  notes: ({ kind, metadata }) => [
    `${kind} ${metadata.name} is stored and not enforced: staged policies have no effect until they are written as ${kind.replace('Staged', '')}`,
  ],
} satisfies Partial<Kind>;
