import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFault } from '../../base/index.js';
import { readYaml, isObject } from '../../model/v3/index.js';
import { quotable } from './bird-text.js';

/** Where our BIRD has its files: below the folder that a boot empties. */
export interface BirdFiles {
  readonly configuration: string;
  /** What is checked before it takes the configuration's place. */
  readonly candidate: string;
  readonly control: string;
  readonly pid: string;
  readonly log: string;
}

export function birdFiles(folder: string): BirdFiles {
  return {
    configuration: join(folder, 'bird.conf'),
    candidate: join(folder, 'bird.conf.new'),
    control: join(folder, 'bird.ctl'),
    pid: join(folder, 'bird.pid'),
    log: join(folder, 'bird.log'),
  };
}

/** Passwords may be in it. */
export async function writeCandidate(files: BirdFiles, text: string): Promise<void> {
  await rm(files.candidate, { force: true });
  await writeFile(files.candidate, text, { mode: 0o600 });
}

export async function moveIntoPlace(files: BirdFiles): Promise<void> {
  await rename(files.candidate, files.configuration);
}

/** The text, or undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A file of the operator, and what changes when it does. */
export interface Include {
  readonly path: string;
  readonly stamp: string;
}

/** `*.conf` of the operator's folder, by name; none when there is no folder. */
export async function listIncludes(folder: string): Promise<readonly Include[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
  const paths = names.filter((name) => name.endsWith('.conf') && quotable(name)).sort();
  return Promise.all(
    paths.map(async (name) => {
      const path = join(folder, name);
      const { mtimeMs, size, ino } = await stat(path);
      return { path, stamp: `${path} ${mtimeMs} ${size} ${ino}` };
    }),
  );
}

export interface Passwords {
  /** `name/key` → password. */
  readonly passwords: ReadonlyMap<string, string>;
  /** Why some or all of them are not used. */
  readonly problems: readonly string[];
}

/**
 * The password file: YAML, a map of secret names, each a map of keys to passwords, as BGPPeers refer to
 * them. Not used at all unless root alone can read it. A file that is absent is no problem.
 */
export async function readPasswords(path: string): Promise<Passwords> {
  const passwords = new Map<string, string>();
  const text = await readIfThere(path);
  if (text === undefined) return { passwords, problems: [] };
  const { mode, uid } = await stat(path);
  if (uid !== 0 || (mode & 0o077) !== 0) {
    const problem = `${path} is not used: it must belong to root and be readable by root alone (chown root, chmod 600)`;
    return { passwords, problems: [problem] };
  }
  let document: unknown;
  try {
    [document] = readYaml(text, path);
  } catch (error) {
    if (!isFault(error)) throw error;
    // The reader's message may quote the text.
    return { passwords, problems: [`${path} is not used: it is no YAML`] };
  }
  const problems: string[] = [];
  for (const [name, keys] of Object.entries(isObject(document) ? document : {})) {
    for (const [key, value] of Object.entries(isObject(keys) ? keys : {})) {
      if (typeof value === 'string' && quotable(value)) passwords.set(`${name}/${key}`, value);
      else
        problems.push(
          `${path}: ${name}/${key} is not used: write the password in single quotes, and without " in it`,
        );
    }
  }
  return { passwords, problems };
}
