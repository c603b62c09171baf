import { Cidr } from '../cidr.js';
import type { Encapsulation, IpPool, IpReservation, PoolUse } from '../ip-pool.js';
import { Address, type Family } from '../address.js';
import { isObject, type JsonObject } from './json.js';
import {
  API_VERSION,
  decodeKind,
  encodeResource,
  newMetadata,
  reading,
  stringOf,
  stringsOf,
  type Identity,
  type Resource,
} from './resource.js';

/** /26 and /122, Calico's default block sizes. */
export function defaultBlockSize(family: Family): number {
  return family === 4 ? 26 : 122;
}

const USES: readonly PoolUse[] = ['Workload', 'Tunnel', 'LoadBalancer'];
export const defaultUses: readonly PoolUse[] = ['Workload', 'Tunnel'];

/** An IPPool of any generation; what its writer did not know has Calico's default (datamodel §1.1). */
export function decodeIpPool(value: string, where?: string): IpPool {
  return toIpPool(decodeKind('IPPool', value, where));
}

/** The pool that a v3 object describes; `corrupt` when its CIDR or block size cannot be used. */
export function toIpPool(resource: Resource): IpPool {
  const { metadata, spec } = resource;
  return reading(resource, () => {
    const cidr = Cidr.parse(stringOf(spec, 'cidr'));
    const size = spec['blockSize'];
    const uses = stringsOf(spec, 'allowedUses').filter((use): use is PoolUse =>
      (USES as readonly string[]).includes(use),
    );
    const disabled = spec['disabled'] === true;
    return {
      name: metadata.name,
      cidr,
      blockSize: typeof size === 'number' && size > 0 ? size : defaultBlockSize(cidr.family),
      ipipMode: encapsulation(spec['ipipMode']),
      vxlanMode: encapsulation(spec['vxlanMode']),
      natOutgoing: spec['natOutgoing'] === true,
      disableBgpExport: spec['disableBGPExport'] === true,
      disabled,
      closed:
        disabled || typeof metadata.deletionTimestamp === 'string' || isUnallocatable(resource),
      nodeSelector: stringOf(spec, 'nodeSelector', 'all()'),
      namespaceSelector: stringOf(spec, 'namespaceSelector'),
      allowedUses: uses.length > 0 ? uses : defaultUses,
      assignmentMode: spec['assignmentMode'] === 'Manual' ? 'Manual' : 'Automatic',
    };
  });
}

function encapsulation(value: unknown): Encapsulation {
  return value === 'Always' || value === 'CrossSubnet' ? value : 'Never';
}

function isUnallocatable(resource: Resource): boolean {
  const conditions = resource.status?.['conditions'];
  return (
    Array.isArray(conditions) &&
    conditions.some(
      (condition: unknown) =>
        isObject(condition) &&
        condition['type'] === 'Allocatable' &&
        condition['status'] === 'False',
    )
  );
}

/** What a new pool is made of; everything but name and CIDR has Calico's default. */
export interface IpPoolFields {
  readonly name: string;
  readonly cidr: Cidr;
  readonly blockSize?: number;
  readonly ipipMode?: Encapsulation;
  readonly vxlanMode?: Encapsulation;
  readonly natOutgoing?: boolean;
  readonly disabled?: boolean;
  readonly disableBgpExport?: boolean;
  readonly nodeSelector?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A new IPPool with every default written out, as the current calicoctl stores it. */
export function encodeIpPool(fields: IpPoolFields, identity: Identity): string {
  const { annotations } = fields;
  const spec: JsonObject = {
    cidr: fields.cidr.toString(),
    vxlanMode: fields.vxlanMode ?? 'Never',
    ipipMode: fields.ipipMode ?? 'Never',
    ...(fields.natOutgoing === true ? { natOutgoing: true } : {}),
    ...(fields.disabled === true ? { disabled: true } : {}),
    ...(fields.disableBgpExport === true ? { disableBGPExport: true } : {}),
    blockSize: fields.blockSize ?? defaultBlockSize(fields.cidr.family),
    nodeSelector: fields.nodeSelector ?? 'all()',
    allowedUses: [...defaultUses],
    assignmentMode: 'Automatic',
  };
  return encodeResource({
    kind: 'IPPool',
    apiVersion: API_VERSION,
    metadata: newMetadata(fields.name, {
      ...identity,
      ...(annotations === undefined ? {} : { annotations }),
    }),
    spec,
  });
}

/** An IPReservation; a bare address counts as a network of one. */
export function decodeIpReservation(value: string, where?: string): IpReservation {
  const resource = decodeKind('IPReservation', value, where);
  return reading(resource, () => ({
    name: resource.metadata.name,
    cidrs: stringsOf(resource.spec, 'reservedCIDRs').map((text) =>
      text.includes('/') ? Cidr.parse(text) : Cidr.host(Address.parse(text)),
    ),
  }));
}
