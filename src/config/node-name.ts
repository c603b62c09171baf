import { Fault } from '../base/index.js';
import { isObjectName } from '../model/index.js';
import type { ConfigInputs } from './inputs.js';

export interface NodeName {
  readonly name: string;
  /** Where it came from, for messages: `NODENAME`, a path, `HOSTNAME`, `host name`. */
  readonly source: string;
}

/**
 * The name of this host in the cluster: `NODENAME`, else the file that the first start left, else
 * `HOSTNAME` in lower case, else the operating system's host name in lower case (product.md §4,
 * Calico's own rule). Throws `invalid` when the result cannot name an object.
 */
export function resolveNodeName(
  inputs: Pick<ConfigInputs, 'env' | 'readFile' | 'osHostname'>,
  stateDir: string,
  setting?: NodeName,
): NodeName {
  const path = `${stateDir}/nodename`;
  const candidates: readonly (NodeName | undefined)[] = [
    setting,
    { name: inputs.env['NODENAME'] ?? '', source: 'NODENAME' },
    { name: inputs.readFile(path) ?? '', source: path },
    { name: (inputs.env['HOSTNAME'] ?? '').toLowerCase(), source: 'HOSTNAME' },
    { name: inputs.osHostname.toLowerCase(), source: 'host name' },
  ];
  for (const candidate of candidates) {
    const name = candidate?.name.trim() ?? '';
    if (candidate === undefined || name === '') continue;
    if (isObjectName(name)) return { name, source: candidate.source };
    const message = `node name "${name}" (from ${candidate.source}) cannot be used: lower case letters, digits, "-" and "." are allowed; set NODENAME`;
    throw new Fault('invalid', message, { reason: 'bad-node-name' });
  }
  const message = 'this host has no name: set NODENAME';
  throw new Fault('invalid', message, { reason: 'bad-node-name' });
}
