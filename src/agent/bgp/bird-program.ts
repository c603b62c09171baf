import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecResult } from '../../base/index.js';

export type Exec = (program: string, args: readonly string[]) => Promise<ExecResult>;

/** The BIRD of this host, or why there is none to be used. */
export type BirdProgram =
  { readonly path: string; readonly version: string } | { readonly missing: string };

const FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/sbin', '/bin'];
/** The oldest that reads our configuration. */
const OLDEST = [2, 0, 7] as const;

/** Looks for `bird` and asks for its version. */
export async function findBird(exec: Exec): Promise<BirdProgram> {
  const path = await programPath();
  if (path === undefined) {
    return {
      missing: 'there is no program bird on this host: install the package bird2 (bird on EL)',
    };
  }
  const { stdout, stderr } = await exec(path, ['--version']);
  const version = /BIRD version (\S+)/i.exec(stdout + stderr)?.[1] ?? 'unknown';
  if (isNewEnough(version)) return { path, version };
  return { missing: `${path} is BIRD ${version}; ${OLDEST.join('.')} or later is needed` };
}

async function programPath(): Promise<string | undefined> {
  for (const folder of FOLDERS) {
    const path = join(folder, 'bird');
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // Not there: the next.
    }
  }
  return undefined;
}

/** Versions of distributions end in anything: `2.0.12+debian`. */
function isNewEnough(version: string): boolean {
  const parts = version.split(/[.+~-]/).map(Number);
  for (const [at, least] of OLDEST.entries()) {
    const part = parts[at] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
