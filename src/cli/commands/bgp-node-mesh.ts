import { Fault, isFault } from '../../base/index.js';
import {
  API_VERSION,
  findKind,
  type JsonObject,
  type Kind,
  type Resource,
} from '../../model/v3/index.js';
import { ensureInitialized } from '../initialize.js';
import type { Io, StoreOptions } from '../io.js';
import type { Objects } from '../objects.js';
import { withObjects } from '../session.js';
import { changeOptions } from './write.js';

/** bgp node-mesh: shows whether all nodes peer with all, or switches it, in the oldest calicoctl's words. */
export async function nodeMeshCommand(
  io: Io,
  wanted: string | undefined,
  options: StoreOptions,
): Promise<number> {
  if (wanted !== undefined && wanted !== 'on' && wanted !== 'off') {
    throw new Fault('invalid', `node-mesh is on or off, found "${wanted}"`, { reason: 'usage' });
  }
  const id = { kind: kindOf('BGPConfiguration'), name: 'default' };
  return withObjects(io, options, async (objects) => {
    if (wanted === undefined) {
      io.out((await nodeMeshIsOn(objects)) ? 'on\n' : 'off\n');
      return 0;
    }
    await ensureInitialized(io, objects.store, {});
    const on = wanted === 'on';
    const change = changeOptions(io, objects, id);
    const set = (previous: Resource): Resource => {
      const spec: JsonObject = { ...previous.spec, nodeToNodeMeshEnabled: on };
      // They are about the mesh alone, and refused without it.
      if (!on)
        for (const member of ['nodeMeshPassword', 'nodeMeshMaxRestartTime']) delete spec[member];
      return { ...previous, spec };
    };
    const fresh: Resource = {
      kind: 'BGPConfiguration',
      apiVersion: API_VERSION,
      metadata: { name: 'default' },
      spec: { nodeToNodeMeshEnabled: on },
    };
    try {
      await objects.update(id, set, change);
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
      await objects.create(id, fresh, change);
    }
    return 0;
  });
}

/** On unless a BGPConfiguration says otherwise. */
export async function nodeMeshIsOn(objects: Objects): Promise<boolean> {
  try {
    const { resource } = await objects.get({ kind: kindOf('BGPConfiguration'), name: 'default' });
    return resource.spec['nodeToNodeMeshEnabled'] !== false;
  } catch (error) {
    if (isFault(error, 'not-found')) return true;
    throw error;
  }
}

export function kindOf(name: string): Kind {
  const kind = findKind(name);
  if (kind === undefined) throw new Fault('internal', `invariant broken: no kind ${name}`);
  return kind;
}
