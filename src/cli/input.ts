import { Fault } from '../base/index.js';
import { readManifests, type Manifest } from '../model/v3/index.js';
import type { Io } from './io.js';

export interface InputOptions {
  readonly filename: string;
  readonly recursive?: boolean;
  readonly skipEmpty?: boolean;
}

/** The objects of `-f`: a file, all manifests of a folder, or `-` for standard input. */
export async function readInput(io: Io, options: InputOptions): Promise<Manifest[]> {
  const { filename } = options;
  if (filename === '-')
    return notEmpty(readManifests(await io.files.readStdin(), 'stdin'), options);
  const listed = await io.files.listManifests(filename, options.recursive === true);
  const manifests: Manifest[] = [];
  for (const path of listed ?? [filename]) {
    manifests.push(...readManifests(await io.files.readText(path), path));
  }
  return notEmpty(manifests, options);
}

function notEmpty(manifests: Manifest[], { filename, skipEmpty }: InputOptions): Manifest[] {
  if (manifests.length > 0 || skipEmpty === true) return manifests;
  const message = `no resources specified in file ${filename}`;
  throw new Fault('invalid', message, { reason: 'empty-input' });
}
