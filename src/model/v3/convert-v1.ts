import { Type, type TSchema } from 'typebox';
import { Address } from '../address.js';
import { Cidr } from '../cidr.js';
import { profileName } from '../names.js';
import { Fault } from '../../base/fault.js';
import type { JsonObject } from './json.js';
import { v1HostEndpoint, v1Policy, type V1Result } from './convert-v1-policy.js';
import { convertV1Rules, v1RulesShape } from './convert-v1-rules.js';
import type { Kind } from './kind.js';
import { bgpPeerKind } from './kind-bgp-peer.js';
import { globalNetworkPolicyKind } from './kind-global-network-policy.js';
import { hostEndpointKind } from './kind-host-endpoint.js';
import { ipPoolKind } from './kind-ip-pool.js';
import { profileKind } from './kind-profile.js';
import { API_VERSION, stringMapOf, stringOf, stringsOf, type Resource } from './resource.js';
import { readShape, unknownField } from './shape.js';

/** How one kind of the first generation (`apiVersion: v1`) becomes a v3 object. */
interface V1Kind {
  readonly kind: Kind;
  readonly metadata: TSchema;
  readonly spec: TSchema;
  readonly convert: (metadata: JsonObject, spec: JsonObject) => V1Result;
}

const text = Type.Optional(Type.String());
const flag = Type.Optional(Type.Boolean());

const ipPool: V1Kind = {
  kind: ipPoolKind,
  metadata: Type.Object({ cidr: Type.String() }),
  spec: Type.Object({
    ipip: Type.Optional(Type.Object({ enabled: flag, mode: text })),
    'nat-outgoing': flag,
    disabled: flag,
  }),
  convert: (metadata, spec) => {
    const cidr = Cidr.parse(stringOf(metadata, 'cidr'), { strict: true });
    const ipip = (spec['ipip'] ?? {}) as JsonObject;
    const mode = stringOf(ipip, 'mode', 'always');
    if (mode !== 'always' && mode !== 'cross-subnet') {
      throw new Fault('invalid', `spec.ipip.mode must be always or cross-subnet, found "${mode}"`);
    }
    const enabled = ipip['enabled'] === true;
    return {
      name: cidr.toString().replaceAll(/[.:/]/g, '-').replaceAll(/^-+/g, ''),
      spec: {
        cidr: cidr.toString(),
        ipipMode: !enabled ? 'Never' : mode === 'cross-subnet' ? 'CrossSubnet' : 'Always',
        ...(spec['nat-outgoing'] === true ? { natOutgoing: true } : {}),
        ...(spec['disabled'] === true ? { disabled: true } : {}),
      },
    };
  },
};

const profile: V1Kind = {
  kind: profileKind,
  metadata: Type.Object({
    name: Type.String(),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    tags: Type.Optional(Type.Array(Type.String())),
  }),
  spec: Type.Object({ ingress: v1RulesShape, egress: v1RulesShape }),
  convert: (metadata, spec) => {
    const written = stringOf(metadata, 'name');
    const labels = stringMapOf(metadata['labels']);
    for (const tag of stringsOf(metadata, 'tags')) {
      if ((labels[tag] ?? '') !== '') {
        const message = `tag "${tag}" and label "${tag}=${labels[tag]}" of profile ${written} cannot both become one label: rename one of them`;
        throw new Fault('invalid', message, { reason: 'tag-and-label' });
      }
      labels[tag] = '';
    }
    return {
      // A profile meets its network by name, so both are made valid in the same way.
      name: written.startsWith('k8s_ns.') ? `kns.${written.slice(7)}` : profileName(written),
      spec: {
        ...rules('ingress', spec),
        ...rules('egress', spec),
        ...(Object.keys(labels).length === 0 ? {} : { labelsToApply: labels }),
      },
    };
  },
};

const bgpPeer: V1Kind = {
  kind: bgpPeerKind,
  metadata: Type.Object({ scope: text, node: text, peerIP: Type.String() }),
  spec: Type.Object({ asNumber: Type.Optional(Type.Union([Type.Integer(), Type.String()])) }),
  convert: (metadata, spec) => {
    const [scope, node] = [stringOf(metadata, 'scope', 'global'), stringOf(metadata, 'node')];
    if ((scope === 'node') !== (node !== '') || !['global', 'node'].includes(scope)) {
      const message = `metadata.scope is global without a node, or node with one; found ${scope} and "${node}"`;
      throw new Fault('invalid', message);
    }
    const peer = Address.parse(stringOf(metadata, 'peerIP'));
    return {
      name: bgpPeerName(peer, node === '' ? undefined : node),
      spec: { ...(node === '' ? {} : { node }), peerIP: peer.toString(), ...spec },
    };
  },
};

/** What calicoctl calls a peer that is given by its address alone: `192-0-2-1`, `node1.192-0-2-1`. */
export function bgpPeerName(peer: Address, node?: string): string {
  const groups =
    peer.family === 4
      ? peer.toString().split('.')
      : Buffer.from(peer.bytes()).toString('hex').match(/.{4}/g);
  const name = (groups ?? []).join('-');
  return node === undefined ? name : `${node}.${name}`;
}

function rules(direction: 'ingress' | 'egress', spec: JsonObject): JsonObject {
  const converted = convertV1Rules(spec[direction], direction);
  return converted.length === 0 ? {} : { [direction]: converted };
}

const v1Kinds: ReadonlyMap<string, V1Kind> = new Map([
  ['bgpPeer', bgpPeer],
  ['ipPool', ipPool],
  ['profile', profile],
  ['policy', { kind: globalNetworkPolicyKind, ...v1Policy }],
  ['hostEndpoint', { kind: hostEndpointKind, ...v1HostEndpoint }],
]);

export const v1KindNames: readonly string[] = [...v1Kinds.keys()];

/** The v3 kind and object of a v1 manifest; undefined when the kind is not one that can be converted. */
export function convertV1(
  kindName: string,
  document: JsonObject,
): { readonly kind: Kind; readonly resource: Resource } | undefined {
  const v1 = v1Kinds.get(kindName);
  if (v1 === undefined) return undefined;
  const { metadata, spec } = document;
  for (const member of Object.keys(document)) {
    if (!['kind', 'apiVersion', 'metadata', 'spec'].includes(member)) throw unknownField(member);
  }
  const result = v1.convert(
    readShape(v1.metadata, metadata ?? {}, 'metadata') as JsonObject,
    readShape(v1.spec, spec ?? {}, 'spec') as JsonObject,
  );
  const resource: Resource = {
    kind: v1.kind.kind,
    apiVersion: API_VERSION,
    metadata: { name: result.name },
    spec: readShape(v1.kind.spec, result.spec, 'spec') as JsonObject,
  };
  if (result.labels !== undefined) resource.metadata.labels = result.labels;
  if (result.annotations !== undefined) resource.metadata.annotations = result.annotations;
  return { kind: v1.kind, resource };
}
