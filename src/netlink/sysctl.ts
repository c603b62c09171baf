import { readFile, writeFile } from 'node:fs/promises';
import { Fault, messageOf } from '../base/fault.js';

const ROOT = '/proc/sys';

/**
 * The value of a kernel setting, without the closing newline. `path` has the segments of its place
 * under /proc/sys, such as `['net', 'ipv4', 'conf', 'cali0.1', 'rp_filter']`: a dot within an
 * interface's name is no separator. Settings under `net` are those of the process' namespace.
 * Faults: `not-found` (also when the interface went away), `refused`, else `internal`.
 */
export async function readSysctl(path: readonly string[]): Promise<string> {
  const file = fileOf(path);
  try {
    return (await readFile(file, 'utf8')).trimEnd();
  } catch (error) {
    throw sysctlFault('read', file, error);
  }
}

/** Sets it; faults as `readSysctl`, and `invalid` when the kernel does not take the value. */
export async function writeSysctl(path: readonly string[], value: string | number): Promise<void> {
  const file = fileOf(path);
  try {
    // Not created: a setting that is not there is a setting that the kernel does not have.
    await writeFile(file, `${value}\n`, { flag: 'r+' });
  } catch (error) {
    throw sysctlFault(`set to ${value}`, file, error);
  }
}

function fileOf(path: readonly string[]): string {
  for (const segment of path) {
    if (segment !== '' && segment !== '.' && segment !== '..' && !/[/\0]/.test(segment)) continue;
    throw new Fault('invalid', `"${segment}" cannot be part of the name of a kernel setting`, {
      reason: 'bad-sysctl',
    });
  }
  return [ROOT, ...path].join('/');
}

function sysctlFault(what: string, file: string, error: unknown): Fault {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const details = { file, code };
  const options = { cause: error, details };
  const setting = `kernel setting ${file}`;
  switch (code) {
    case 'ENOENT':
    case 'ENODEV':
      return new Fault('not-found', `${setting} does not exist`, options);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Fault('refused', `${setting} cannot be ${what}: not permitted`, options);
    case 'EINVAL':
      return new Fault('invalid', `${setting} cannot be ${what}: no value it takes`, options);
    default:
      return new Fault('internal', `${setting} cannot be ${what}: ${messageOf(error)}`, options);
  }
}
