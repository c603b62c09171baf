import { Fault, messageOf } from '../../base/index.js';
import {
  checkPatchShape,
  isObject,
  presentResource,
  readResource,
  readYaml,
  type JsonObject,
  type Resource,
} from '../../model/v3/index.js';
import type { Io } from '../io.js';
import { idFromWords } from '../object-name.js';
import { refuseReadOnly } from '../objects.js';
import { kindNamed, withObjects, type SharedOptions } from '../session.js';
import { changeOptions } from './write.js';

export interface PatchOptions extends SharedOptions {
  readonly patch: string;
  readonly type: string;
}

/** patch: changes the named members of one object; null removes a member, a list is replaced whole. */
export async function patchCommand(
  io: Io,
  [word = '', name = '']: readonly string[],
  options: PatchOptions,
): Promise<number> {
  if (options.type !== 'strategic' && options.type !== 'merge') {
    const message = `patch type ${options.type} is not offered: use strategic or merge`;
    throw new Fault('unsupported', message, { reason: 'patch-type' });
  }
  const kind = kindNamed(word);
  refuseReadOnly(kind, 'patch');
  const id = idFromWords(kind, name, options.namespace);
  const patch = readPatch(options.patch);
  checkPatchShape(kind, patch);
  return withObjects(io, options, async (objects) => {
    const change = (previous: Resource): Resource => {
      const shown = { ...presentResource(kind, previous) };
      return readResource(kind, merge(shown, patch) as JsonObject);
    };
    try {
      await objects.update(id, change, changeOptions(io, objects, id));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw new Fault(error.kind, `hit error: ${messageOf(error)}`, { cause: error });
    }
    io.out(`Successfully patched 1 '${kind.kind}' resource\n`);
    return 0;
  });
}

function readPatch(text: string): JsonObject {
  const [document] = readYaml(text, 'the patch');
  if (isObject(document)) return document;
  const message = `the patch must be an object, such as '{"spec":{"disabled":true}}', found ${text.slice(0, 60)}`;
  throw new Fault('invalid', message, { reason: 'patch' });
}

/** RFC 7396; an object that loses its last member goes too, as Calico refuses an empty `bgp`. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    const merged = value === null ? undefined : merge(result[name], value);
    const emptied = isEmptyObject(merged) && isObject(result[name]) && !isEmptyObject(result[name]);
    if (merged === undefined || emptied) delete result[name];
    else result[name] = merged;
  }
  return result;
}

function isEmptyObject(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}
