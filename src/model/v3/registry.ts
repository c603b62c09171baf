import { Type } from 'typebox';
import { isObject, type JsonObject } from './json.js';
import type { Kind } from './kind.js';
import { bgpConfigurationKind } from './kind-bgp-configuration.js';
import { bgpFilterKind } from './kind-bgp-filter.js';
import { bgpPeerKind } from './kind-bgp-peer.js';
import { clusterInformationKind } from './kind-cluster-information.js';
import { felixConfigurationKind } from './kind-felix-configuration.js';
import { globalNetworkPolicyKind } from './kind-global-network-policy.js';
import { globalNetworkSetKind } from './kind-global-network-set.js';
import { hostEndpointKind } from './kind-host-endpoint.js';
import { ipPoolKind } from './kind-ip-pool.js';
import { ipReservationKind } from './kind-ip-reservation.js';
import { networkPolicyKind } from './kind-network-policy.js';
import { networkSetKind } from './kind-network-set.js';
import { nodeKind } from './kind-node.js';
import { profileKind } from './kind-profile.js';
import { stagedGlobalNetworkPolicyKind } from './kind-staged-global-network-policy.js';
import { stagedNetworkPolicyKind } from './kind-staged-network-policy.js';
import { tierKind } from './kind-tier.js';
import { workloadEndpointKind } from './kind-workload-endpoint.js';
import { checkLabels, checkObjectName } from './metadata-checks.js';
import type { Problem } from './problem.js';
import { API_VERSION, type Metadata, type Resource } from './resource.js';
import { checkEnums, keepUnknown, onlyKnown, readShape, unknownField } from './shape.js';

/** Every kind that the command line can show and write; a new kind is one file and one line here. */
export const kinds: readonly Kind[] = [
  bgpConfigurationKind,
  bgpFilterKind,
  bgpPeerKind,
  clusterInformationKind,
  felixConfigurationKind,
  globalNetworkPolicyKind,
  globalNetworkSetKind,
  hostEndpointKind,
  ipPoolKind,
  ipReservationKind,
  networkPolicyKind,
  networkSetKind,
  nodeKind,
  profileKind,
  stagedGlobalNetworkPolicyKind,
  stagedNetworkPolicyKind,
  tierKind,
  workloadEndpointKind,
];

const byManifestName = new Map(kinds.map((kind) => [kind.kind, kind]));
const byCommandName = new Map(
  kinds.flatMap((kind) =>
    [kind.kind.toLowerCase(), kind.plural, ...kind.aliases].map((name) => [name, kind] as const),
  ),
);

/** The kind of a manifest; the spelling is exact. */
export function kindOfManifest(name: string): Kind | undefined {
  return byManifestName.get(name);
}

/** The kind that a user names on the command line: singular, plural or short, in any case. */
export function findKind(name: string): Kind | undefined {
  return byCommandName.get(name.toLowerCase());
}

const text = Type.Optional(Type.String());
const metadataShape = Type.Object({
  name: text,
  generateName: text,
  namespace: text,
  selfLink: text,
  uid: text,
  resourceVersion: text,
  generation: Type.Optional(Type.Integer()),
  creationTimestamp: text,
  deletionTimestamp: text,
  deletionGracePeriodSeconds: Type.Optional(Type.Integer()),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
  ownerReferences: Type.Optional(Type.Array(Type.Unknown())),
  finalizers: Type.Optional(Type.Array(Type.String())),
  managedFields: Type.Optional(Type.Array(Type.Unknown())),
});
const TOP_LEVEL = ['kind', 'apiVersion', 'metadata', 'spec', 'status'];

/**
 * One manifest read strictly: unknown members and wrong types are `invalid`. Defaults are filled in
 * by `completeResource`, values judged by `checkResource`.
 */
export function readResource(kind: Kind, document: JsonObject): Resource {
  const members: JsonObject = {};
  for (const [written, value] of Object.entries(document)) {
    const name = TOP_LEVEL.find((known) => known.toLowerCase() === written.toLowerCase());
    if (name === undefined) throw unknownField(written);
    members[name] = value;
  }
  const metadata = readShape(metadataShape, members['metadata'] ?? {}, 'metadata') as JsonObject;
  const spec = readShape(kind.spec, members['spec'] ?? {}, 'spec') as JsonObject;
  const resource: Resource = {
    kind: kind.kind,
    apiVersion: API_VERSION,
    metadata: { ...metadata, name: String(metadata['name'] ?? '') },
    spec,
  };
  if (kind.status !== undefined && isObject(members['status'])) {
    resource.status = readShape(kind.status, members['status'], 'status') as JsonObject;
  } else if (members['status'] !== undefined && members['status'] !== null) {
    if (!isObject(members['status']) || Object.keys(members['status']).length > 0) {
      throw unknownField('status');
    }
  }
  if (kind.emptyStatus === true) resource.status ??= {};
  return resource;
}

/** A patch document: read as strictly as a manifest, but null stays and means removal. */
export function checkPatchShape(kind: Kind, patch: JsonObject): void {
  readResource(kind, withoutNulls(patch) as JsonObject);
}

function withoutNulls(value: unknown): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([name, member]) => [name, withoutNulls(member)]),
  );
}

/** A copy with everything that may be left out filled in. */
export function completeResource(kind: Kind, resource: Resource): Resource {
  const copy: Resource = {
    ...resource,
    metadata: { ...resource.metadata },
    spec: structuredClone(resource.spec),
  };
  if (kind.emptyStatus === true) copy.status ??= {};
  kind.complete?.(copy);
  return { ...copy, spec: inSchemaOrder(kind, copy.spec) };
}

function inSchemaOrder(kind: Kind, spec: JsonObject): JsonObject {
  const order = Object.keys((kind.spec as { properties?: JsonObject }).properties ?? {});
  const known = order.filter((name) => spec[name] !== undefined);
  const names = new Set([...known, ...Object.keys(spec)]);
  return Object.fromEntries([...names].map((name) => [name, spec[name]]));
}

/** Everything wrong with an object that can be seen in it alone. */
export function checkResource(kind: Kind, resource: Resource): Problem[] {
  const checkName = kind.checkName ?? checkObjectName;
  return [
    ...checkName(resource),
    ...checkLabels(resource.metadata),
    ...checkEnums(kind.spec, resource.spec, 'spec'),
    ...kind.check(resource),
  ];
}

/**
 * The object to store in place of `previous`: stored metadata with the labels and annotations of
 * `next`, the spec of `next`, and whatever else only newer components understand.
 */
export function mergeUpdate(kind: Kind, previous: Resource, next: Resource): Resource {
  const { labels: _labels, annotations: _annotations, ...stored } = previous.metadata;
  const metadata: Metadata = { ...stored, name: previous.metadata.name };
  if (next.metadata.labels !== undefined) metadata.labels = next.metadata.labels;
  if (next.metadata.annotations !== undefined) metadata.annotations = next.metadata.annotations;
  const merged: Resource = {
    ...previous,
    metadata,
    spec: keepUnknown(kind.spec, previous.spec, next.spec),
  };
  const status = next.status;
  if (status !== undefined && Object.keys(status).length > 0) {
    merged.status =
      kind.status === undefined ? status : keepUnknown(kind.status, previous.status, status);
  }
  return merged;
}

/** An object as it is shown: as its kind shows it, and only members that a manifest may have as well. */
export function presentResource(kind: Kind, resource: Resource): Resource {
  const shown = kind.shown?.(resource) ?? completeResource(kind, resource);
  const result: Resource = {
    kind: kind.kind,
    apiVersion: API_VERSION,
    metadata: onlyKnown(metadataShape, shown.metadata) as Metadata,
    spec: onlyKnown(kind.spec, shown.spec) as JsonObject,
  };
  if (kind.status !== undefined && shown.status !== undefined) {
    result.status = onlyKnown(kind.status, shown.status) as JsonObject;
  }
  return result;
}
