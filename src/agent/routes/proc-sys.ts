import { readFileSync, writeFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../base/index.js';

/**
 * Kernel settings below `<procRoot>/sys/net`. Reading and writing is synchronous: each takes some
 * ten microseconds, a thread of the pool would take longer. What has its value already is not
 * written, because some of these writes spin until the kernel's rtnl lock is free.
 */
export interface ProcSys {
  /** Trimmed value, undefined when there is no such setting (module not loaded, interface gone). */
  read(path: string): string | undefined;
  /** True when it was written; false when it had the value already, or does not exist. */
  set(path: string, value: string): boolean;
  /** Names below a folder; empty when there is none. */
  list(path: string): readonly string[];
}

/** `path` is relative to `net`, such as `ipv4/conf/cali0/rp_filter`. Faults: `refused` when the kernel will not. */
export function openProcSys(procRoot: string): ProcSys {
  const root = join(procRoot, 'sys', 'net');
  const at = (path: string): string => `${root}/${path}`;
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(at(path), 'utf8').trim();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw failure(at(path), 'read', error);
    }
  };
  return {
    read,
    set: (path, value) => {
      const found = read(path);
      if (found === undefined || found === value) return false;
      try {
        writeFileSync(at(path), value);
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw failure(at(path), `write ${value} to`, error);
      }
    },
    list: (path) => {
      try {
        return readdirSync(at(path));
      } catch (error) {
        if (isMissing(error)) return [];
        throw failure(at(path), 'list', error);
      }
    },
  };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** An interface that goes away takes its settings with it, between opening a file and writing to it too. */
function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENODEV', 'ENXIO', 'ENOTDIR'].includes(String(codeOf(error)));
}

function failure(path: string, what: string, error: unknown): Fault {
  return new Fault('refused', `cannot ${what} ${path}: ${String(codeOf(error) ?? error)}`, {
    cause: error,
    reason: 'sysctl',
  });
}
