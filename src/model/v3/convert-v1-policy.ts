import { createHash } from 'node:crypto';
import { Type, type TSchema } from 'typebox';
import { Address } from '../address.js';
import { Fault } from '../../base/fault.js';
import { convertV1Rules, v1RulesShape } from './convert-v1-rules.js';
import { isObject, type JsonObject } from './json.js';
import { stringMapOf, stringOf, stringsOf } from './resource.js';

const text = Type.Optional(Type.String());
const texts = Type.Optional(Type.Array(Type.String()));
const flag = Type.Optional(Type.Boolean());
const map = Type.Optional(Type.Record(Type.String(), Type.String()));

/** A converted object: its name, what goes into `metadata`, and its v3 `spec`. */
export interface V1Result {
  readonly name: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly spec: JsonObject;
}

interface V1Form {
  readonly metadata: TSchema;
  readonly spec: TSchema;
  readonly convert: (metadata: JsonObject, spec: JsonObject) => V1Result;
}

/** The v1 `policy`, which is a GlobalNetworkPolicy (datamodel §4.7). */
export const v1Policy: V1Form = {
  metadata: Type.Object({ name: Type.String(), annotations: map }),
  spec: Type.Object({
    order: Type.Optional(Type.Number({ always: true })),
    ingress: v1RulesShape,
    egress: v1RulesShape,
    selector: text,
    doNotTrack: flag,
    preDNAT: flag,
    types: texts,
  }),
  convert: (metadata, spec) => {
    const { order, doNotTrack, preDNAT } = spec;
    const annotations = stringMapOf(metadata['annotations']);
    const selector = withNewLabels(stringOf(spec, 'selector'));
    const hostOnly = doNotTrack === true || preDNAT === true;
    return {
      name: policyNameV3(stringOf(metadata, 'name')),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      spec: {
        ...(order === undefined ? {} : { order }),
        ...rulesOf('ingress', spec),
        ...rulesOf('egress', spec),
        ...(selector === '' ? {} : { selector }),
        ...(spec['types'] === undefined ? {} : { types: stringsOf(spec, 'types').map(typeV3) }),
        ...(doNotTrack === true ? { doNotTrack } : {}),
        ...(preDNAT === true ? { preDNAT } : {}),
        ...(hostOnly ? { applyOnForward: true } : {}),
      },
    };
  },
};

/** The v1 `hostEndpoint`: v3 has one name space for all nodes, so the node stands in the name. */
export const v1HostEndpoint: V1Form = {
  metadata: Type.Object({ name: Type.String(), node: Type.String(), labels: map }),
  spec: Type.Object({
    interfaceName: text,
    expectedIPs: texts,
    profiles: texts,
    ports: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({ always: true }),
          protocol: Type.Union([Type.Integer(), Type.String()], { always: true }),
          port: Type.Integer({ always: true }),
        }),
      ),
    ),
  }),
  convert: (metadata, spec) => {
    const node = normalizedName(stringOf(metadata, 'node'));
    const labels = stringMapOf(metadata['labels']);
    const ports: readonly unknown[] = Array.isArray(spec['ports']) ? spec['ports'] : [];
    return {
      name: `${node}.${normalizedName(stringOf(metadata, 'name'))}`,
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      spec: {
        node,
        ...(spec['interfaceName'] === undefined ? {} : { interfaceName: spec['interfaceName'] }),
        ...(spec['expectedIPs'] === undefined
          ? {}
          : { expectedIPs: ipv4First(stringsOf(spec, 'expectedIPs')) }),
        ...(spec['profiles'] === undefined ? {} : { profiles: spec['profiles'] }),
        ...(ports.length === 0 ? {} : { ports: ports.filter(isObject).map(portV3) }),
      },
    };
  },
};

function rulesOf(direction: 'ingress' | 'egress', spec: JsonObject): JsonObject {
  const converted = convertV1Rules(spec[direction], direction);
  return converted.length === 0 ? {} : { [direction]: converted.map(renamedSelectors) };
}

function renamedSelectors(rule: JsonObject): JsonObject {
  const result = { ...rule };
  for (const side of ['source', 'destination']) {
    const entity = result[side];
    if (!isObject(entity)) continue;
    const copy = { ...entity };
    for (const member of ['selector', 'notSelector']) {
      const selector = copy[member];
      if (typeof selector === 'string') copy[member] = withNewLabels(selector);
    }
    result[side] = copy;
  }
  return result;
}

/** The label of a Kubernetes namespace was called otherwise in the first generation. */
function withNewLabels(selector: string): string {
  return selector.replaceAll('calico/k8s_ns', 'projectcalico.org/namespace');
}

function typeV3(type: string): string {
  const known = ['Ingress', 'Egress'].find((each) => each.toLowerCase() === type.toLowerCase());
  if (known !== undefined) return known;
  throw new Fault(
    'invalid',
    `spec.types holds ingress or egress in a v1 manifest, found "${type}"`,
  );
}

function portV3(port: JsonObject): JsonObject {
  const { protocol } = port;
  return { ...port, protocol: typeof protocol === 'string' ? protocol.toUpperCase() : protocol };
}

function ipv4First(addresses: readonly string[]): string[] {
  const isIpv6 = (address: string): boolean => Address.tryParse(address)?.family === 6;
  return [
    ...addresses.filter((address) => !isIpv6(address)),
    ...addresses.filter((address) => isIpv6(address)),
  ];
}

/** Lower case, `/` as `.`, other signs as `-`, none of either at the ends (datamodel §4.7). */
function normalizedName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll('/', '.')
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .replaceAll(/[.-]*\.[.-]*/g, '.')
    .replaceAll(/^[.-]+|[.-]+$/g, '');
}

/** A policy's name has no dots any more; a name that had to change keeps apart by its hash. */
function policyNameV3(name: string): string {
  const changed = normalizedName(name).replaceAll('.', '-');
  if (changed === name) return name;
  return `${changed}-${createHash('sha1').update(name).digest('hex').slice(0, 8)}`;
}
