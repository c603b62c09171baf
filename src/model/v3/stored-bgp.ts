import { Address } from '../address.js';
import {
  parsePeerAddress,
  type BgpConfiguration,
  type BgpPeer,
  type PrefixAdvertisement,
  type SecretReference,
} from '../bgp.js';
import { Cidr } from '../cidr.js';
import { parseDuration } from '../duration.js';
import { isObject, type JsonObject } from './json.js';
import { decodeKind, reading, stringOf, stringsOf } from './resource.js';
import { toAsNumber } from './stored-node.js';

/** A BGPConfiguration; members that only Kubernetes has a use for are left out. */
export function decodeBgpConfiguration(value: string, where?: string): BgpConfiguration {
  const resource = decodeKind('BGPConfiguration', value, where);
  const { spec, metadata } = resource;
  const mesh = spec['nodeToNodeMeshEnabled'];
  return reading(resource, () => ({
    name: metadata.name,
    ...given('logSeverity', stringOf(spec, 'logSeverityScreen') || undefined),
    ...given('nodeToNodeMesh', typeof mesh === 'boolean' ? mesh : undefined),
    ...given('asNumber', toAsNumber(spec['asNumber']) || undefined),
    ...given('listenPort', countOf(spec, 'listenPort') || undefined),
    bindToNodeAddress: spec['bindMode'] === 'NodeIP',
    communities: Object.fromEntries(
      objectsOf(spec, 'communities').map((one) => [stringOf(one, 'name'), stringOf(one, 'value')]),
    ),
    prefixAdvertisements: objectsOf(spec, 'prefixAdvertisements').map(toAdvertisement),
    ...given('meshPassword', passwordOf(spec, 'nodeMeshPassword')),
    ...given('meshMaxRestartSeconds', secondsOf(spec, 'nodeMeshMaxRestartTime')),
    ignoredInterfaces: stringsOf(spec, 'ignoredInterfaces'),
  }));
}

function toAdvertisement(object: JsonObject): PrefixAdvertisement {
  return {
    cidr: Cidr.parse(stringOf(object, 'cidr')),
    communities: stringsOf(object, 'communities'),
  };
}

/** A BGPPeer; `corrupt` when its addresses cannot be read. */
export function decodeBgpPeer(value: string, where?: string): BgpPeer {
  const resource = decodeKind('BGPPeer', value, where);
  const { spec, metadata } = resource;
  return reading(resource, () => ({
    name: metadata.name,
    ...given('node', stringOf(spec, 'node') || undefined),
    ...given('nodeSelector', stringOf(spec, 'nodeSelector') || undefined),
    ...given('peer', peerOf(stringOf(spec, 'peerIP'))),
    ...given('asNumber', toAsNumber(spec['asNumber']) || undefined),
    ...given('peerSelector', stringOf(spec, 'peerSelector') || undefined),
    ...given('localAsNumber', toAsNumber(spec['localASNumber']) || undefined),
    nextHop: nextHopOf(spec),
    ...given('password', passwordOf(spec, 'password')),
    sourceAddress: spec['sourceAddress'] === 'None' ? ('none' as const) : ('node' as const),
    ...given('maxRestartSeconds', secondsOf(spec, 'maxRestartTime')),
    ...given('keepaliveSeconds', secondsOf(spec, 'keepaliveTime')),
    ...given('allowedLocalAsNumbers', countOf(spec, 'numAllowedLocalASNumbers')),
    ...given('ttlSecurity', countOf(spec, 'ttlSecurity')),
    ...given('reachableBy', addressOf(stringOf(spec, 'reachableBy'))),
    filters: stringsOf(spec, 'filters'),
    ...given('localWorkloadSelector', stringOf(spec, 'localWorkloadSelector') || undefined),
    reversePeering: spec['reversePeering'] !== 'Manual',
  }));
}

function peerOf(text: string): BgpPeer['peer'] {
  if (text === '') return undefined;
  return parsePeerAddress(text) ?? { address: Address.parse(text) };
}

function addressOf(text: string): Address | undefined {
  return text === '' ? undefined : Address.parse(text);
}

function nextHopOf(spec: JsonObject): BgpPeer['nextHop'] {
  if (spec['keepOriginalNextHop'] === true || spec['nextHopMode'] === 'Keep') return 'keep';
  return spec['nextHopMode'] === 'Self' ? 'self' : 'auto';
}

function passwordOf(spec: JsonObject, member: string): SecretReference | undefined {
  const password = spec[member];
  const reference = isObject(password) ? password['secretKeyRef'] : undefined;
  if (!isObject(reference)) return undefined;
  return { name: stringOf(reference, 'name'), key: stringOf(reference, 'key') };
}

/** Whole seconds of a duration, rounded up: what BIRD takes. */
function secondsOf(spec: JsonObject, member: string): number | undefined {
  const duration = parseDuration(stringOf(spec, member));
  return duration === undefined ? undefined : Math.ceil(duration / 1000);
}

function countOf(spec: JsonObject, member: string): number | undefined {
  const value = spec[member];
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}

function objectsOf(spec: JsonObject, member: string): JsonObject[] {
  const list = spec[member];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** The member alone, or nothing when it is undefined. */
export function given<K extends string, T>(name: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: T };
}
