import { existsSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Fault, messageOf } from '../base/index.js';
import { MAX_MANIFEST } from '../model/v3/index.js';
import type { FileSource } from './io.js';

const MANIFESTS = new Set(['.yaml', '.yml', '.json']);

/** Files of this machine and standard input. */
export function systemFiles(stdin: NodeJS.ReadableStream): FileSource {
  return {
    readText,
    listManifests,
    readStdin: async () => text(stdin),
    exists: (path) => existsSync(path),
  };
}

async function readText(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > MAX_MANIFEST) {
        throw new Fault('invalid', `${path} is larger than ${MAX_MANIFEST} bytes: split it`);
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function listManifests(
  path: string,
  recursive: boolean,
): Promise<readonly string[] | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return undefined;
    const found: string[] = [];
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) {
        if (recursive) found.push(...((await listManifests(inner, true)) ?? []));
      } else if (MANIFESTS.has(extname(entry.name))) found.push(inner);
    }
    return found;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = code === 'ENOENT' ? 'no such file or directory' : messageOf(error);
  return new Fault('invalid', `failed to execute command: open ${path}: ${reason}`, {
    reason: 'input',
    cause: error,
  });
}
