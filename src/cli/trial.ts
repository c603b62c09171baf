import type { Io } from './io.js';
import { describeEndedFlows } from './live-flows.js';
import { Objects } from './objects.js';
import { createOverlayStore } from './overlay-store.js';
import { readWorld } from './policy-world.js';
import { withObjects, type SharedOptions } from './session.js';
import { compareVerdicts, renderChanges } from './verdict-changes.js';

/** Output that says of every line that nothing was written. */
export function trialIo(io: Io, { dryRun }: { readonly dryRun?: boolean }): Io {
  if (dryRun !== true) return io;
  return { ...io, out: (text) => io.out(text.replaceAll(/(?<=.)\n/g, ' (dry run)\n')) };
}

/**
 * Opens the datastore for the time of `work`; with `dryRun` a copy of it, whose changes are told by
 * the verdicts that they would change and the live connections that they would end, and then forgotten.
 */
export async function withTrial(
  io: Io,
  options: SharedOptions & { readonly dryRun?: boolean },
  work: (objects: Objects) => Promise<number>,
): Promise<number> {
  if (options.dryRun !== true) return withObjects(io, options, work);
  return withObjects(io, options, async ({ store }) => {
    const trial = createOverlayStore(store);
    const before = await readWorld(io, store);
    const status = await work(new Objects(trial));
    // What is unreadable was told with the first reading.
    const after = await readWorld({ ...io, err: () => undefined }, trial);
    io.out(renderChanges(compareVerdicts(before, after)));
    io.out(await describeEndedFlows(io, before, after));
    return status;
  });
}
