import { Type } from 'typebox';
import { Address } from '../address.js';
import { parsePeerAddress } from '../bgp.js';
import {
  asNumberPointer,
  asNumberShape,
  checkAsNumber,
  checkDuration,
  checkRange,
  completeAsNumber,
  completeDuration,
  countPointer,
  optionalText,
  passwordShape,
} from './bgp-shape.js';
import { cell, nameColumn, type Kind } from './kind.js';
import { checkSelector } from './metadata-checks.js';
import type { Problem } from './problem.js';
import { stringOf, type Resource } from './resource.js';

const spec = Type.Object({
  node: optionalText,
  nodeSelector: optionalText,
  peerIP: optionalText,
  asNumber: Type.Optional(asNumberShape),
  localASNumber: asNumberPointer,
  peerSelector: optionalText,
  keepOriginalNextHop: Type.Optional(Type.Boolean()),
  nextHopMode: Type.Optional(
    Type.Union([Type.Literal('Auto'), Type.Literal('Self'), Type.Literal('Keep')]),
  ),
  password: passwordShape,
  sourceAddress: Type.Optional(Type.Union([Type.Literal('UseNodeIP'), Type.Literal('None')])),
  maxRestartTime: optionalText,
  keepaliveTime: optionalText,
  numAllowedLocalASNumbers: countPointer,
  ttlSecurity: countPointer,
  reachableBy: optionalText,
  filters: Type.Optional(Type.Array(Type.String())),
  localWorkloadSelector: optionalText,
  reversePeering: Type.Optional(Type.Union([Type.Literal('Auto'), Type.Literal('Manual')])),
});

function complete({ spec: peer }: Resource): void {
  // Calico's own reader takes the zero AS number for an absent one.
  for (const member of ['asNumber', 'localASNumber']) completeAsNumber(peer, member);
  for (const member of ['maxRestartTime', 'keepaliveTime']) completeDuration(peer, member);
}

function check({ spec: peer }: Resource): Problem[] {
  return [
    ...checkWho(peer),
    ...checkAddresses(peer),
    ...checkAsNumber('ASNumber', peer['asNumber']),
    ...checkAsNumber('LocalASNumber', peer['localASNumber']),
    ...checkSelector('NodeSelector', peer['nodeSelector']),
    ...checkSelector('PeerSelector', peer['peerSelector']),
    ...checkSelector('LocalWorkloadSelector', peer['localWorkloadSelector']),
    ...checkDuration('MaxRestartTime', peer['maxRestartTime']),
    ...checkDuration('KeepaliveTime', peer['keepaliveTime']),
    ...checkRange('TTLSecurity', peer['ttlSecurity'], [0, 255]),
    ...checkRange('NumAllowedLocalASNumbers', peer['numAllowedLocalASNumbers'], [0, 2 ** 31 - 1]),
  ];
}

/** Members that exclude each other (datamodel §3.5). */
function checkWho(peer: Resource['spec']): Problem[] {
  const given = (member: string): boolean => stringOf(peer, member) !== '';
  const problems: Problem[] = [];
  const refuse = (reason: string): void => void problems.push({ field: 'spec', reason });
  if (given('node') && given('nodeSelector')) refuse('node and nodeSelector cannot both be set');
  if (given('peerIP') && given('peerSelector')) {
    refuse('peerIP and peerSelector cannot both be set');
  }
  if (peer['asNumber'] !== undefined && given('peerSelector')) {
    refuse('asNumber and peerSelector cannot both be set: selected nodes have their own');
  }
  if (given('localWorkloadSelector')) {
    if (given('peerIP') || given('peerSelector')) {
      refuse('localWorkloadSelector excludes peerIP and peerSelector');
    }
    if (peer['asNumber'] === undefined) refuse('localWorkloadSelector needs an asNumber');
  }
  if (peer['keepOriginalNextHop'] === true && peer['nextHopMode'] !== undefined) {
    refuse('keepOriginalNextHop and nextHopMode cannot both be set: take nextHopMode');
  }
  return problems;
}

function checkAddresses(peer: Resource['spec']): Problem[] {
  const text = stringOf(peer, 'peerIP');
  const gateway = stringOf(peer, 'reachableBy');
  const parsed = parsePeerAddress(text);
  const problems: Problem[] = [];
  if (text !== '' && parsed === undefined) {
    const reason =
      'must be an address, with a port after a colon if it is not 179: 192.0.2.1:1790 or [2001:db8::1]:1790';
    problems.push({ field: 'PeerIP', value: text, reason });
  }
  if (gateway === '') return problems;
  const family = Address.tryParse(gateway)?.family;
  if (family === undefined) {
    problems.push({ field: 'ReachableBy', value: gateway, reason: 'must be an address' });
  } else if (text === '') {
    problems.push({ field: 'ReachableBy', value: gateway, reason: 'needs a peerIP' });
  } else if (parsed !== undefined && parsed.address.family !== family) {
    const reason = `must be of the same family as peerIP ${text}`;
    problems.push({ field: 'ReachableBy', value: gateway, reason });
  }
  return problems;
}

const headings = ['NAME', 'PEERIP', 'NODE', 'ASN'];

export const bgpPeerKind: Kind = {
  kind: 'BGPPeer',
  plural: 'bgppeers',
  aliases: ['bgpp', 'bgpps', 'bp'],
  namespaced: false,
  summary: 'a BGP session of one node, of selected nodes or of all with a router or other nodes',
  example: `apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: top-of-rack
spec:
  nodeSelector: rack == 'r1'
  peerIP: 192.0.2.1
  asNumber: 65001
`,
  spec,
  columns: [
    nameColumn,
    { heading: 'PEERIP', value: (resource) => cell(resource.spec['peerIP']) },
    {
      heading: 'NODE',
      value: ({ spec: peer }) => stringOf(peer, 'node', stringOf(peer, 'nodeSelector', '(global)')),
    },
    { heading: 'ASN', value: (resource) => cell(resource.spec['asNumber'] ?? 0) },
  ],
  tableHeadings: headings,
  wideHeadings: headings,
  complete,
  check,
};
