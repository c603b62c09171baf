import type { Io } from './io.js';

/** What a command did to one object; `error` is absent when it went well. */
export interface Outcome {
  /** The kind as the user spelled it. */
  readonly kindName: string;
  readonly error?: string;
}

const DONE = {
  create: 'created',
  apply: 'applied',
  replace: 'replaced',
  validate: 'validated',
} as const;
export type WriteVerb = keyof typeof DONE;

/** Reports what became of the objects of a file, in calicoctl's words; the exit status. */
export function reportWrites(io: Io, verb: WriteVerb, outcomes: readonly Outcome[]): number {
  if (outcomes.length === 0) {
    io.out('No resources specified\n');
    return 0;
  }
  const errors = outcomes.flatMap(({ error }) => error ?? []);
  const kind = kindIn(outcomes);
  const done = outcomes.length - errors.length;
  if (errors.length === 0) {
    io.out(`Successfully ${DONE[verb]} ${done} ${kind}resource(s)\n`);
    return 0;
  }
  const list = `[${errors.join('; ')}]`;
  if (done > 0) {
    io.out(`Partial success: ${DONE[verb]} ${done} out of ${outcomes.length} ${kind}resources:\n`);
    io.err(`hit error: ${list}\n`);
  } else if (outcomes.length === 1) {
    io.err(`failed to ${verb} ${kind}resource: ${list}\n`);
  } else {
    io.err(`failed to ${verb} any ${kind}resources: ${list}\n`);
  }
  return 1;
}

/** Reports deletions: one line for each failure, one for all successes. */
export function reportDeletes(io: Io, outcomes: readonly Outcome[]): number {
  if (outcomes.length === 0) {
    io.out('No resources specified\n');
    return 0;
  }
  const failed = outcomes.filter(({ error }) => error !== undefined);
  const done = outcomes.length - failed.length;
  if (done > 0) io.out(`Successfully deleted ${done} ${kindIn(outcomes)}resource(s)\n`);
  for (const { kindName, error } of failed) {
    io.err(`Failed to delete '${kindName}' resource: ${error}\n`);
  }
  return failed.length > 0 ? 1 : 0;
}

/** `'IPPool' ` when all objects are of one kind, else nothing. */
function kindIn(outcomes: readonly Outcome[]): string {
  const names = new Set(outcomes.map(({ kindName }) => kindName));
  const [only] = names;
  return names.size === 1 && only !== undefined ? `'${only}' ` : '';
}
