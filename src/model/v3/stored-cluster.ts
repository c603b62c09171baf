import {
  API_VERSION,
  decodeKind,
  encodeResource,
  inOrder,
  newMetadata,
  stringOf,
  type Identity,
} from './resource.js';

/** `clusterinformations/default`; absent members are absent. */
export interface ClusterInformation {
  /** 32 hex digits. */
  readonly clusterGuid?: string;
  /** Comma list. */
  readonly clusterType?: string;
  /** Never written by us: a foreign value makes the real calicoctl refuse to work. */
  readonly calicoVersion?: string;
  /** Agents wait while this is not true (datamodel §1.13). */
  readonly datastoreReady?: boolean;
}

const ORDER = ['clusterGUID', 'clusterType', 'calicoVersion', 'datastoreReady', 'variant'];

export function decodeClusterInformation(value: string, where?: string): ClusterInformation {
  const { spec } = decodeKind('ClusterInformation', value, where);
  const clusterGuid = stringOf(spec, 'clusterGUID');
  const clusterType = stringOf(spec, 'clusterType');
  const calicoVersion = stringOf(spec, 'calicoVersion');
  const ready = spec['datastoreReady'];
  return {
    ...(clusterGuid === '' ? {} : { clusterGuid }),
    ...(clusterType === '' ? {} : { clusterType }),
    ...(calicoVersion === '' ? {} : { calicoVersion }),
    ...(typeof ready === 'boolean' ? { datastoreReady: ready } : {}),
  };
}

/** The object that marks a new datastore as ready. */
export function encodeClusterInformation(
  fields: { readonly clusterGuid: string; readonly clusterType?: string },
  identity: Identity,
): string {
  return encodeResource({
    kind: 'ClusterInformation',
    apiVersion: API_VERSION,
    metadata: newMetadata('default', identity),
    spec: {
      clusterGUID: fields.clusterGuid,
      ...(fields.clusterType === undefined ? {} : { clusterType: fields.clusterType }),
      datastoreReady: true,
    },
  });
}

/**
 * The stored object with what initialisation adds: a missing GUID, a missing ready flag. An explicit
 * false (a locked datastore) stays. Undefined when nothing is missing.
 */
export function completeClusterInformation(
  previous: string,
  clusterGuid: string,
): string | undefined {
  const resource = decodeKind('ClusterInformation', previous);
  const { clusterGuid: guid, datastoreReady } = decodeClusterInformation(previous);
  if (guid !== undefined && datastoreReady !== undefined) return undefined;
  const spec = {
    ...resource.spec,
    clusterGUID: guid ?? clusterGuid,
    datastoreReady: datastoreReady ?? true,
  };
  return encodeResource({ ...resource, spec: inOrder(spec, ORDER) });
}

/** The stored object with the flag that keeps all hosts from giving out addresses, or without it. */
export function lockedClusterInformation(previous: string, locked: boolean): string {
  const resource = decodeKind('ClusterInformation', previous);
  const spec = { ...resource.spec, datastoreReady: !locked };
  return encodeResource({ ...resource, spec: inOrder(spec, ORDER) });
}

export interface TierFields {
  readonly name: string;
  /** Lower is evaluated first. */
  readonly order: number;
  readonly defaultAction: 'Deny' | 'Pass';
}

/** The tiers that every datastore has; they can be neither changed nor deleted (datamodel §1.5). */
export const builtInTiers: readonly TierFields[] = [
  { name: 'default', order: 1_000_000, defaultAction: 'Deny' },
  { name: 'kube-admin', order: 1000, defaultAction: 'Pass' },
  { name: 'kube-baseline', order: 10_000_000, defaultAction: 'Pass' },
];

/** A new Tier. */
export function encodeTier(tier: TierFields, identity: Identity): string {
  return encodeResource({
    kind: 'Tier',
    apiVersion: API_VERSION,
    metadata: newMetadata(tier.name, identity),
    spec: { order: tier.order, defaultAction: tier.defaultAction },
    status: {},
  });
}

/** One object that a fresh datastore must have; the caller creates it unless its key exists. */
export interface InitialObject {
  readonly plural: 'clusterinformations' | 'tiers';
  readonly name: string;
  readonly value: string;
}

/**
 * What EnsureInitialized makes of an empty datastore (datamodel §1.13). `newUid` gives a fresh UUID
 * for each object; the cluster's GUID is one of them without dashes. An existing
 * ClusterInformation goes through `completeClusterInformation` instead.
 */
export function initialObjects(newUid: () => string, createdAt: Date): InitialObject[] {
  const identity = (): Identity => ({ uid: newUid(), createdAt });
  const clusterGuid = newClusterGuid(newUid);
  return [
    {
      plural: 'clusterinformations',
      name: 'default',
      value: encodeClusterInformation({ clusterGuid }, identity()),
    },
    ...builtInTiers.map((tier): InitialObject => ({
      plural: 'tiers',
      name: tier.name,
      value: encodeTier(tier, identity()),
    })),
  ];
}

export function newClusterGuid(newUid: () => string): string {
  return newUid().replaceAll('-', '');
}
