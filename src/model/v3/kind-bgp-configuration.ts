import { Type } from 'typebox';
import { parseCommunity } from '../bgp.js';
import { Cidr } from '../cidr.js';
import {
  asNumberPointer,
  checkAsNumber,
  checkCommunity,
  checkDuration,
  checkRange,
  COMMUNITY_FORM,
  completeAsNumber,
  completeDuration,
  optionalText,
  passwordShape,
} from './bgp-shape.js';
import { isObject, type JsonObject } from './json.js';
import { cell, nameColumn, type Column, type Kind } from './kind.js';
import type { Problem } from './problem.js';
import { stringOf, stringsOf, type Resource } from './resource.js';

const cidrs = Type.Optional(Type.Array(Type.Object({ cidr: optionalText })));
const switched = Type.Union([Type.Literal('Enabled'), Type.Literal('Disabled')]);
const priority = Type.Optional(Type.Integer({ always: true }));

const spec = Type.Object({
  logSeverityScreen: optionalText,
  nodeToNodeMeshEnabled: Type.Optional(Type.Boolean({ always: true })),
  asNumber: asNumberPointer,
  serviceLoadBalancerIPs: cidrs,
  serviceExternalIPs: cidrs,
  serviceClusterIPs: cidrs,
  serviceLoadBalancerAggregation: Type.Optional(switched),
  communities: Type.Optional(Type.Array(Type.Object({ name: optionalText, value: optionalText }))),
  prefixAdvertisements: Type.Optional(
    Type.Array(
      Type.Object({ cidr: optionalText, communities: Type.Optional(Type.Array(Type.String())) }),
    ),
  ),
  listenPort: Type.Optional(Type.Integer()),
  nodeMeshPassword: passwordShape,
  nodeMeshMaxRestartTime: optionalText,
  bindMode: Type.Optional(Type.Union([Type.Literal('None'), Type.Literal('NodeIP')])),
  ignoredInterfaces: Type.Optional(Type.Array(Type.String())),
  localWorkloadPeeringIPV4: optionalText,
  localWorkloadPeeringIPV6: optionalText,
  programClusterRoutes: Type.Optional(
    Type.Union([
      Type.Literal('Enabled'),
      Type.Literal('Disabled'),
      Type.Literal('EnabledIPIPOnly'),
      Type.Literal('EnabledNoEncapOnly'),
    ]),
  ),
  ipv4NormalRoutePriority: priority,
  ipv6NormalRoutePriority: priority,
});

function complete({ spec: bgp }: Resource): void {
  bgp['logSeverityScreen'] ??= 'Info';
  bgp['serviceLoadBalancerAggregation'] ??= 'Enabled';
  completeAsNumber(bgp, 'asNumber');
  completeDuration(bgp, 'nodeMeshMaxRestartTime');
}

function check(resource: Resource): Problem[] {
  const { spec: bgp } = resource;
  const field = (name: string): string => `BGPConfiguration.Spec.${name}`;
  return [
    ...checkGlobals(resource),
    ...checkSeverity(stringOf(bgp, 'logSeverityScreen')),
    ...checkAsNumber(field('ASNumber'), bgp['asNumber']),
    ...checkRange(field('ListenPort'), bgp['listenPort'], [1, 65_535]),
    ...checkDuration(field('NodeMeshMaxRestartTime'), bgp['nodeMeshMaxRestartTime']),
    ...checkRange(field('IPv4NormalRoutePriority'), bgp['ipv4NormalRoutePriority'], PRIORITIES),
    ...checkRange(field('IPv6NormalRoutePriority'), bgp['ipv6NormalRoutePriority'], PRIORITIES),
    ...checkCommunities(bgp),
    ...checkMesh(bgp),
  ];
}

const PRIORITIES = [1, 2_147_483_646] as const;
const SEVERITIES = ['Trace', 'Debug', 'Info', 'Warning', 'Error', 'Fatal'];

function checkSeverity(value: string): Problem[] {
  if (value === '' || SEVERITIES.includes(value)) return [];
  const reason = `must be one of ${SEVERITIES.join(', ')}`;
  return [{ field: 'LogSeverityScreen', value, reason }];
}

/** Members that say something about the whole cluster, with Calico's names in messages. */
const GLOBAL_ONLY: readonly (readonly [string, string])[] = [
  ['nodeToNodeMeshEnabled', 'NodeToNodeMeshEnabled'],
  ['asNumber', 'ASNumber'],
  ['serviceExternalIPs', 'ServiceExternalIPs'],
  ['serviceClusterIPs', 'ServiceClusterIPs'],
  ['serviceLoadBalancerIPs', 'ServiceLoadBalancerIPs'],
  ['nodeMeshPassword', 'NodeMeshPassword'],
  ['nodeMeshMaxRestartTime', 'NodeMeshMaxRestartTime'],
];

function checkGlobals({ metadata, spec: bgp }: Resource): Problem[] {
  if (metadata.name === 'default') return [];
  return GLOBAL_ONLY.filter(([member]) => bgp[member] !== undefined).map(([, name]) => ({
    field: `BGPConfiguration.Spec.${name}`,
    reason: `Cannot set ${name} on a non default BGP Configuration.`,
  }));
}

function checkMesh(bgp: JsonObject): Problem[] {
  if (bgp['nodeToNodeMeshEnabled'] !== false) return [];
  return ['nodeMeshPassword', 'nodeMeshMaxRestartTime']
    .filter((member) => bgp[member] !== undefined)
    .map((member) => ({
      field: 'spec',
      reason: `${member} cannot be set when nodeToNodeMeshEnabled is false`,
    }));
}

function objectsOf(bgp: JsonObject, member: string): JsonObject[] {
  const list = bgp[member];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

function checkCommunities(bgp: JsonObject): Problem[] {
  const defined = objectsOf(bgp, 'communities');
  const advertised = objectsOf(bgp, 'prefixAdvertisements');
  const problems = defined.flatMap((community) =>
    checkCommunity('Spec.Communities[].Value', stringOf(community, 'value')),
  );
  if (defined.length > 0 && advertised.length === 0) {
    const reason = 'communities are used by prefixAdvertisements only: give these as well';
    problems.push({ field: 'Spec.Communities[]', reason });
  }
  const names = new Set(defined.map((community) => stringOf(community, 'name')));
  for (const advertisement of advertised) {
    const cidr = stringOf(advertisement, 'cidr');
    if (Cidr.tryParse(cidr) === undefined) {
      const reason = 'must be a network in CIDR form, such as 10.20.0.0/16';
      problems.push({ field: 'Spec.PrefixAdvertisements[].CIDR', value: cidr, reason });
    }
    for (const value of stringsOf(advertisement, 'communities')) {
      if (names.has(value) || parseCommunity(value) !== undefined) continue;
      const reason = `neither the name of a defined community nor a value: ${COMMUNITY_FORM}`;
      problems.push({ field: 'Spec.PrefixAdvertisements[].Communities[]', value, reason });
    }
  }
  return problems;
}

const orDash = (heading: string, member: string): Column => ({
  heading,
  value: (resource) => cell(resource.spec[member] ?? '-'),
});
const headings = ['NAME', 'LOGSEVERITY', 'MESHENABLED', 'ASNUMBER'];

export const bgpConfigurationKind: Kind = {
  kind: 'BGPConfiguration',
  plural: 'bgpconfigurations',
  aliases: ['bgpconfig', 'bgpconfigs'],
  namespaced: false,
  summary: 'AS number, mesh and port of all nodes (default) or of one (node.<name>)',
  example: `apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata:
  name: default
spec:
  nodeToNodeMeshEnabled: true
  asNumber: 64512
`,
  spec,
  columns: [
    nameColumn,
    orDash('LOGSEVERITY', 'logSeverityScreen'),
    orDash('MESHENABLED', 'nodeToNodeMeshEnabled'),
    orDash('ASNUMBER', 'asNumber'),
  ],
  tableHeadings: headings,
  wideHeadings: headings,
  complete,
  check,
};
