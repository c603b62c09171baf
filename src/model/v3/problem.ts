import { Fault } from '../../base/fault.js';

/** One thing wrong with one field of an object. */
export interface Problem {
  /** As Calico names it: `IPPool.Spec.CIDR`, `spec.ipipMode`, `Metadata.Name`. */
  readonly field: string;
  /** What was found; left out where there is nothing to show. */
  readonly value?: string;
  /** What is wrong and what would be right. */
  readonly reason: string;
}

/** An `invalid` fault with the wording that scripts around calicoctl match on (datamodel §0.5). */
export function invalidFields(problems: readonly Problem[]): Fault {
  const [only] = problems;
  const message =
    only !== undefined && problems.length === 1
      ? `error with field ${describe(only)}`
      : `error with the following fields: ${problems.map(describe).join('; ')}`;
  return new Fault('invalid', message, { reason: 'invalid-field' });
}

function describe({ field, value, reason }: Problem): string {
  return value === undefined ? `${field} (${reason})` : `${field} = '${value}' (${reason})`;
}
