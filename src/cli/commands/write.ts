import { isFault, messageOf } from '../../base/index.js';
import type { CallOptions } from '../../datastore/index.js';
import { invalidFields, type Manifest } from '../../model/v3/index.js';
import { ensureInitialized } from '../initialize.js';
import { readInput } from '../input.js';
import type { Io } from '../io.js';
import { idOf, type ObjectId } from '../object-name.js';
import { acceptable, refuseReadOnly, type ChangeOptions, type Objects } from '../objects.js';
import { reportWrites, type Outcome, type WriteVerb } from '../outcome.js';
import { peerCheck } from '../peer-checks.js';
import { lockOutWarning, policyTierCheck } from '../policy-checks.js';
import { coveredHosts, poolCheck } from '../pool-checks.js';
import type { SharedOptions } from '../session.js';
import { trialIo, withTrial } from '../trial.js';

export interface WriteOptions extends SharedOptions {
  readonly filename: string;
  readonly skipExists?: boolean;
  /** Tell what would change, and write nothing. */
  readonly dryRun?: boolean;
}

/** create, apply, replace: every object of the input, in order, each on its own. */
export async function writeCommand(
  given: Io,
  verb: Exclude<WriteVerb, 'validate'>,
  options: WriteOptions,
): Promise<number> {
  const io = trialIo(given, options);
  const manifests = await readInput(io, options);
  if (manifests.length === 0) return reportWrites(io, verb, []);
  const call: CallOptions = io.signal === undefined ? {} : { signal: io.signal };
  return withTrial(given, options, async (objects) => {
    await ensureInitialized(io, objects.store, call);
    const outcomes: Outcome[] = [];
    for (const manifest of manifests) {
      outcomes.push(
        await outcomeOf(manifest, async () => {
          await writeOne(io, objects, verb, manifest, options);
          await tellNotes(io, objects, manifest);
        }),
      );
    }
    return reportWrites(io, verb, outcomes);
  });
}

/** Everything that can be judged without a datastore. */
export async function validateCommand(io: Io, options: WriteOptions): Promise<number> {
  const manifests = await readInput(io, options);
  const outcomes: Outcome[] = [];
  for (const manifest of manifests) {
    outcomes.push(
      await outcomeOf(manifest, () => {
        acceptable(idOf(manifest.kind, manifest.resource, options.namespace), manifest.resource);
      }),
    );
  }
  return reportWrites(io, 'validate', outcomes);
}

/** A failure that concerns one object is reported with it; a datastore that is gone ends the command. */
async function outcomeOf(manifest: Manifest, work: () => Promise<void> | void): Promise<Outcome> {
  const kindName = manifest.spelledKind;
  try {
    await work();
    return { kindName };
  } catch (error) {
    if (!isFault(error) || isFault(error, 'unavailable', 'timeout', 'internal')) throw error;
    return { kindName, error: messageOf(error) };
  }
}

async function writeOne(
  io: Io,
  objects: Objects,
  verb: Exclude<WriteVerb, 'validate'>,
  manifest: Manifest,
  options: WriteOptions,
): Promise<void> {
  const { kind, resource } = manifest;
  refuseReadOnly(kind, verb);
  const id = idOf(kind, resource, options.namespace);
  const resourceVersion = documentVersion(manifest);
  const change = changeOptions(io, objects, id);
  const withVersion = resourceVersion === undefined ? change : { ...change, resourceVersion };
  switch (verb) {
    case 'create':
      return create(objects, id, manifest, withVersion, options.skipExists === true);
    case 'replace':
      return objects.update(id, () => resource, withVersion);
    case 'apply':
      try {
        return await objects.create(id, resource, change);
      } catch (error) {
        if (!isFault(error, 'exists')) throw error;
      }
      return objects.update(id, () => resource, withVersion);
  }
}

async function create(
  objects: Objects,
  id: ObjectId,
  { resource }: Manifest,
  change: ChangeOptions,
  skipExists: boolean,
): Promise<void> {
  try {
    await objects.create(id, resource, change);
  } catch (error) {
    if (!(skipExists && isFault(error, 'exists'))) throw error;
  }
}

function documentVersion({ resource }: Manifest): string | undefined {
  const version = resource.metadata['resourceVersion'];
  if (version === undefined || version === '') return undefined;
  if (typeof version === 'string' && /^\d+$/.test(version)) return version;
  const reason = 'must be the decimal number that get -o yaml showed';
  throw invalidFields([{ field: 'Metadata.ResourceVersion', value: String(version), reason }]);
}

export function changeOptions(io: Io, objects: Objects, id: ObjectId): ChangeOptions {
  const call: CallOptions = io.signal === undefined ? {} : { signal: io.signal };
  return {
    ...call,
    identity: { uid: io.newUid(), createdAt: io.now() },
    ...checkOf(io, objects, id, call),
  };
}

function checkOf(
  io: Io,
  { store }: Objects,
  { kind }: ObjectId,
  call: CallOptions,
): Pick<ChangeOptions, 'check'> {
  if (kind.kind === 'IPPool') return { check: poolCheck(io, store, call) };
  if (kind.kind === 'BGPPeer') return { check: peerCheck(store, call) };
  return kind.kind.endsWith('NetworkPolicy') ? { check: policyTierCheck(store, call) } : {};
}

/** What the user should know of an object that was accepted. */
async function tellNotes(io: Io, objects: Objects, { kind, resource }: Manifest): Promise<void> {
  const call: CallOptions = io.signal === undefined ? {} : { signal: io.signal };
  for (const note of kind.notes?.(resource) ?? []) io.err(`note: ${note}\n`);
  const warning =
    kind.kind === 'IPPool'
      ? await coveredHosts(objects.store, resource, call)
      : kind.kind === 'HostEndpoint'
        ? await lockOutWarning(io, objects.store, resource, call)
        : undefined;
  if (warning !== undefined) io.err(`warning: ${warning}\n`);
}
