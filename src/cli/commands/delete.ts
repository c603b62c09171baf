import { isFault, messageOf } from '../../base/index.js';
import { readInput } from '../input.js';
import type { Io } from '../io.js';
import { idFromWords, idOf, type ObjectId } from '../object-name.js';
import { refuseReadOnly, type Objects } from '../objects.js';
import { reportDeletes, type Outcome } from '../outcome.js';
import { removeObject } from '../removal.js';
import { both, kindNamed, type SharedOptions } from '../session.js';
import { trialIo, withTrial } from '../trial.js';

export interface DeleteOptions extends SharedOptions {
  readonly skipNotExists?: boolean;
  /** Tell what would change, and delete nothing. */
  readonly dryRun?: boolean;
}

interface Target {
  readonly kindName: string;
  /** Throws when the words or the document mean no object. */
  readonly id: () => ObjectId;
  readonly resourceVersion?: string;
}

/** delete: by names or by the objects of a file; a failing one does not stop the rest. */
export async function deleteCommand(
  given: Io,
  words: readonly string[],
  options: DeleteOptions,
): Promise<number> {
  const io = trialIo(given, options);
  const targets = await targetsOf(io, words, options);
  if (targets.length === 0) return reportDeletes(io, []);
  return withTrial(given, options, async (objects) => {
    const outcomes: Outcome[] = [];
    for (const target of targets) outcomes.push(await deleteOne(io, objects, target, options));
    return reportDeletes(io, outcomes);
  });
}

async function targetsOf(
  io: Io,
  words: readonly string[],
  options: DeleteOptions,
): Promise<Target[]> {
  const { filename, namespace } = options;
  const [word, ...names] = words;
  if (filename !== undefined) {
    if (word !== undefined) throw both();
    const manifests = await readInput(io, { ...options, filename });
    return manifests.map((manifest) => {
      const version = manifest.resource.metadata['resourceVersion'];
      return {
        kindName: manifest.spelledKind,
        id: () => idOf(manifest.kind, manifest.resource, namespace),
        ...(typeof version === 'string' && version !== '' ? { resourceVersion: version } : {}),
      };
    });
  }
  const kind = kindNamed(word ?? '');
  // Without a name nothing is meant; calicoctl says so by the empty name.
  return (names.length === 0 ? [''] : names).map((name) => ({
    kindName: kind.kind,
    id: () => idFromWords(kind, name, namespace),
  }));
}

async function deleteOne(
  io: Io,
  objects: Objects,
  { kindName, id, resourceVersion }: Target,
  { skipNotExists }: DeleteOptions,
): Promise<Outcome> {
  try {
    const target = id();
    refuseReadOnly(target.kind, 'delete');
    await removeObject(io, objects, target, {
      ...(io.signal === undefined ? {} : { signal: io.signal }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    });
    return { kindName };
  } catch (error) {
    if (skipNotExists === true && isFault(error, 'not-found')) return { kindName };
    if (!isFault(error) || isFault(error, 'unavailable', 'timeout', 'internal')) throw error;
    return { kindName, error: messageOf(error) };
  }
}
