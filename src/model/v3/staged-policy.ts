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
import { stringOf } from './resource.js';

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
  check: checkPolicy,
  notes: ({ kind, metadata }) => [
    `${kind} ${metadata.name} is stored and not enforced: staged policies have no effect until they are written as ${kind.replace('Staged', '')}`,
  ],
} satisfies Partial<Kind>;
