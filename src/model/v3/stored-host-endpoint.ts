import type { HostEndpoint } from '../policy.js';
import { readNamedPorts } from './named-ports.js';
import { decodeKind, stringMapOf, stringOf, stringsOf, type Resource } from './resource.js';

/** A HostEndpoint of any writer. */
export function decodeHostEndpoint(value: string, where?: string): HostEndpoint {
  return toHostEndpoint(decodeKind('HostEndpoint', value, where));
}

export function toHostEndpoint({ metadata, spec }: Resource): HostEndpoint {
  const interfaceName = stringOf(spec, 'interfaceName');
  return {
    name: metadata.name,
    node: stringOf(spec, 'node'),
    ...(interfaceName === '' ? {} : { interfaceName }),
    expectedIPs: stringsOf(spec, 'expectedIPs'),
    profiles: stringsOf(spec, 'profiles'),
    ports: readNamedPorts(spec),
    labels: stringMapOf(metadata.labels),
  };
}
