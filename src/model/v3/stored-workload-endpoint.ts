import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import type { WorkloadEndpoint } from '../endpoint.js';
import { Fault } from '../../base/fault.js';
import { isObject } from './json.js';
import { readNamedPorts } from './named-ports.js';
import {
  API_VERSION,
  assign,
  decodeKind,
  encodeResource,
  fillIdentity,
  inOrder,
  newMetadata,
  reading,
  stringMapOf,
  stringOf,
  stringsOf,
  type Identity,
  type Resource,
} from './resource.js';

export const NAMESPACE_LABEL = 'projectcalico.org/namespace';
export const ORCHESTRATOR_LABEL = 'projectcalico.org/orchestrator';

/** Member order of an endpoint's `spec`, as Calico writes it. */
export const ENDPOINT_ORDER = [
  'orchestrator',
  'workload',
  'node',
  'containerID',
  'pod',
  'endpoint',
  'serviceAccountName',
  'ipNetworks',
  'ipNATs',
  'ipv4Gateway',
  'ipv6Gateway',
  'profiles',
  'interfaceName',
  'mac',
  'ports',
  'allowSpoofedSourcePrefixes',
  'qosControls',
];

/** A WorkloadEndpoint of any writer; `corrupt` when one of its networks is not a single address. */
export function decodeWorkloadEndpoint(value: string, where?: string): WorkloadEndpoint {
  return toWorkloadEndpoint(decodeKind('WorkloadEndpoint', value, where));
}

export function toWorkloadEndpoint(resource: Resource): WorkloadEndpoint {
  const { metadata, spec } = resource;
  return reading(resource, () => ({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    node: stringOf(spec, 'node'),
    orchestrator: stringOf(spec, 'orchestrator'),
    workload: stringOf(spec, 'workload'),
    endpoint: stringOf(spec, 'endpoint'),
    containerId: stringOf(spec, 'containerID'),
    interfaceName: stringOf(spec, 'interfaceName'),
    mac: stringOf(spec, 'mac').toLowerCase(),
    addresses: stringsOf(spec, 'ipNetworks').map(hostAddress),
    profiles: stringsOf(spec, 'profiles'),
    labels: stringMapOf(metadata.labels),
    ports: readNamedPorts(spec),
    allowSpoofedSourcePrefixes: stringsOf(spec, 'allowSpoofedSourcePrefixes'),
  }));
}

/** The address of a `/32` or `/128`; a bare address is accepted, as Calico does. */
function hostAddress(text: string): Address {
  if (!text.includes('/')) return Address.parse(text);
  const cidr = Cidr.parse(text, { strict: true });
  if (!cidr.isHost) throw new Fault('invalid', `network ${text} holds more than one address`);
  return cidr.base;
}

/**
 * The text of an endpoint. With `previous` (the text now stored) every member that the model does
 * not know is kept, and so are its UID, its creation time and its ports, which are the user's. The
 * two labels that Calico forces are set.
 */
export function encodeWorkloadEndpoint(
  endpoint: WorkloadEndpoint,
  identity: Identity,
  previous?: string,
): string {
  const { namespace, name } = endpoint;
  const resource: Resource =
    previous === undefined
      ? {
          kind: 'WorkloadEndpoint',
          apiVersion: API_VERSION,
          metadata: newMetadata(name, { ...identity, namespace }),
          spec: {},
        }
      : decodeKind('WorkloadEndpoint', previous);
  const metadata = { ...resource.metadata, name, namespace };
  fillIdentity(metadata, identity);
  metadata.labels = {
    ...endpoint.labels,
    [NAMESPACE_LABEL]: namespace,
    [ORCHESTRATOR_LABEL]: endpoint.orchestrator,
  };
  const spec = { ...resource.spec };
  assign(spec, specOf(endpoint));
  return encodeResource({ ...resource, metadata, spec: inOrder(spec, ENDPOINT_ORDER) });
}

function specOf(endpoint: WorkloadEndpoint): Record<string, unknown> {
  const orNull = <T extends { readonly length: number }>(value: T): T | null =>
    value.length === 0 ? null : value;
  return {
    orchestrator: orNull(endpoint.orchestrator),
    workload: orNull(endpoint.workload),
    node: orNull(endpoint.node),
    containerID: orNull(endpoint.containerId),
    endpoint: orNull(endpoint.endpoint),
    ipNetworks: orNull(endpoint.addresses.map((address) => Cidr.host(address).toString())),
    profiles: orNull([...endpoint.profiles]),
    interfaceName: orNull(endpoint.interfaceName),
    mac: orNull(endpoint.mac.toLowerCase()),
    allowSpoofedSourcePrefixes: orNull([...endpoint.allowSpoofedSourcePrefixes]),
  };
}

/** The endpoint's own labels: those that Calico forces are left out. */
export function ownLabels(labels: unknown): Record<string, string> {
  const all = isObject(labels) ? stringMapOf(labels) : {};
  delete all[NAMESPACE_LABEL];
  delete all[ORCHESTRATOR_LABEL];
  return all;
}
