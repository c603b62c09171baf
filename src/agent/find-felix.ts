import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** How Calico's own agent is started, by itself or by the all-in-one programs. */
const FELIX =
  /(?:^|\/)calico-felix(?:\s|$)|(?:^|\/)calico-node\s(?:.*\s)?-felix(?:\s|$)|(?:^|\/)calico\scomponent\sfelix(?:\s|$)/;

/** The command line of a Felix that runs on this host; undefined when there is none. */
export function findFelix(procRoot: string): string | undefined {
  for (const entry of readdirSync(procRoot)) {
    if (!/^\d+$/.test(entry)) continue;
    const command = commandOf(join(procRoot, entry, 'cmdline'));
    if (FELIX.test(command)) return command;
  }
  return undefined;
}

function commandOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    // Processes end while one looks.
    return '';
  }
}
