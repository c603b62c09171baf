import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import type { NetworkSet } from '../policy.js';
import {
  corrupt,
  decodeResource,
  reading,
  stringMapOf,
  stringsOf,
  type Resource,
} from './resource.js';
import { NAMESPACE_LABEL } from './stored-workload-endpoint.js';

/**
 * A NetworkSet or GlobalNetworkSet of any writer; `corrupt` when one of its networks is none. Bare
 * addresses, set host bits and empty texts are Calico's own tolerance (datamodel §6.3).
 */
export function decodeNetworkSet(value: string, where?: string): NetworkSet {
  const resource = decodeResource(value, where);
  if (resource.kind !== 'NetworkSet' && resource.kind !== 'GlobalNetworkSet') {
    throw corrupt(`NetworkSet or GlobalNetworkSet expected, ${resource.kind} found`, where);
  }
  const namespace = resource.metadata.namespace ?? '';
  if (resource.kind === 'NetworkSet' && namespace === '') {
    throw corrupt(`NetworkSet ${resource.metadata.name} without metadata.namespace`, where);
  }
  return toNetworkSet(resource);
}

/** `decodeNetworkSet` for an object that is read already. A namespaced one carries its namespace's label. */
export function toNetworkSet(resource: Resource): NetworkSet {
  const { kind, metadata, spec } = resource;
  const { namespace = '' } = metadata;
  const own = stringMapOf(metadata.labels);
  const nets = reading(resource, () =>
    stringsOf(spec, 'nets')
      .filter((text) => text.trim() !== '')
      .map((text) => (text.includes('/') ? Cidr.parse(text) : Cidr.host(Address.parse(text)))),
  );
  return kind === 'GlobalNetworkSet'
    ? { name: metadata.name, nets, labels: own }
    : { name: metadata.name, namespace, nets, labels: { ...own, [NAMESPACE_LABEL]: namespace } };
}
