import { deadline, toFault } from '../base/index.js';
import type { AllocatorOptions } from './allocator-options.js';
import type { ForgottenRelease } from './ports.js';
import type { Releaser } from './release.js';

/** Bound of the undoing of a claim that came too late. */
const GIVE_BACK_MS = 5_000;

/** Docker was told that a request failed: it will never release what was claimed for it. */
export async function giveBack(
  releaser: Releaser,
  { log, rememberRelease }: Pick<AllocatorOptions, 'log' | 'rememberRelease'>,
  release: ForgottenRelease,
): Promise<void> {
  const { address, poolId, handle } = release;
  try {
    await releaser.release(address, poolId, {
      signal: deadline(GIVE_BACK_MS),
      onlyHandle: handle,
    });
  } catch (error) {
    log.warn(
      { address: String(address), handle, error: toFault(error).message },
      'address freed later',
    );
    rememberRelease(release);
  }
}
