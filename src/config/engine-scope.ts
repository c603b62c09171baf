import { Fault } from '../base/index.js';
import { isObject } from '../model/v3/index.js';
import type { ConfigInputs } from './inputs.js';

export type NetworkScope = 'local' | 'global';

export interface FoundScope {
  readonly scope: NetworkScope;
  readonly source: string;
  /** False while no engine runs and nothing else says it: dockerd may yet be started with a cluster store. */
  readonly certain: boolean;
}

const PID_FILES = ['/var/run/docker.pid', '/run/docker.pid'];
const DAEMON_JSON = '/etc/docker/daemon.json';

/**
 * `auto`: global only if the engine has a cluster store (engines up to 20.10), found in the running
 * dockerd's command line or in daemon.json. Docker asks for the scope while it cannot be asked itself
 * (plugin protocol §3.3), so no API is used.
 */
export function findScope(
  inputs: Pick<ConfigInputs, 'readFile'>,
  wanted: NetworkScope | 'auto',
): FoundScope {
  if (wanted !== 'auto') return { scope: wanted, source: 'scope', certain: true };
  let engine: string | undefined;
  for (const path of PID_FILES) {
    const pid = readQuietly(inputs, path)?.trim() ?? '';
    if (!/^\d+$/.test(pid)) continue;
    const command = (readQuietly(inputs, `/proc/${pid}/cmdline`) ?? '').split('\0');
    // The pid file of an engine that crashed may name any program.
    if (!(command[0] ?? '').includes('docker')) continue;
    engine = pid;
    if (command.some((argument) => /^--?cluster-store(=|$)/.test(argument))) {
      return { scope: 'global', source: `--cluster-store of dockerd ${pid}`, certain: true };
    }
  }
  if (hasClusterStore(readQuietly(inputs, DAEMON_JSON))) {
    return { scope: 'global', source: `cluster-store in ${DAEMON_JSON}`, certain: true };
  }
  return engine === undefined
    ? { scope: 'local', source: 'no engine runs', certain: false }
    : { scope: 'local', source: `dockerd ${engine} has no cluster store`, certain: true };
}

function hasClusterStore(text: string | undefined): boolean {
  if (text === undefined) return false;
  try {
    const settings: unknown = JSON.parse(text);
    return (
      isObject(settings) &&
      typeof settings['cluster-store'] === 'string' &&
      settings['cluster-store'] !== ''
    );
  } catch (error) {
    // dockerd itself refuses such a file; what it says about it is for its own log.
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** A pid file of a dead process, or one that may not be read, says nothing about a running engine. */
function readQuietly(
  { readFile }: Pick<ConfigInputs, 'readFile'>,
  path: string,
): string | undefined {
  try {
    return readFile(path);
  } catch {
    return undefined;
  }
}

/**
 * Docker freezes the scope per network: throws `refused` when it would change under existing networks. `locked` is
 * what they were made with.
 */
export function refuseChangedScope(found: FoundScope, locked: string | undefined): void {
  if (locked === undefined || locked === found.scope || !found.certain) return;
  throw new Fault(
    'refused',
    `the scope would change from ${locked} to ${found.scope} (${found.source}) while networks of this host exist; ` +
      `set scope: ${locked}, or remove the networks first`,
    { reason: 'scope-changed' },
  );
}
