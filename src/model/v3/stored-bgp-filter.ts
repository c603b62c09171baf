import type { BgpFilter, BgpFilterMatch, BgpFilterOperation, BgpFilterRule } from '../bgp.js';
import { Cidr } from '../cidr.js';
import { filterRules } from './kind-bgp-filter.js';
import { isObject, type JsonObject } from './json.js';
import { corrupt, decodeKind, reading, stringOf, stringsOf, type Resource } from './resource.js';
import { given } from './stored-bgp.js';
import { toAsNumber } from './stored-node.js';

/** A BGPFilter; `corrupt` when a rule cannot be understood, because a filter must not let more pass. */
export function decodeBgpFilter(value: string, where?: string): BgpFilter {
  const resource = decodeKind('BGPFilter', value, where);
  const read = (member: string): BgpFilterRule[] =>
    filterRules(resource.spec, member).map((rule) => toRule(resource, rule));
  return reading(resource, () => ({
    name: resource.metadata.name,
    export4: read('exportV4'),
    import4: read('importV4'),
    export6: read('exportV6'),
    import6: read('importV6'),
  }));
}

function toRule(resource: Resource, rule: JsonObject): BgpFilterRule {
  const action = stringOf(rule, 'action');
  if (action !== 'Accept' && action !== 'Reject') {
    throw corrupt(`the action of a rule is "${action}"`, resource.metadata.name);
  }
  const peerType = rule['peerType'];
  const communities = isObject(rule['communities']) ? stringsOf(rule['communities'], 'values') : [];
  const priority = rule['priority'];
  return {
    ...given('network', networkOf(rule)),
    fromPeersOnly: rule['source'] === 'RemotePeers',
    ...given('interface', stringOf(rule, 'interface') || undefined),
    ...(peerType === 'eBGP' || peerType === 'iBGP' ? { peerType } : {}),
    ...given('community', communities[0]),
    asPathPrefix: asNumbersOf(rule, 'asPathPrefix'),
    ...given('priority', typeof priority === 'number' ? priority : undefined),
    accept: action === 'Accept',
    operations: filterRules(rule, 'operations').flatMap((each) => operationOf(each) ?? []),
  };
}

function networkOf(rule: JsonObject): BgpFilterRule['network'] {
  const text = stringOf(rule, 'cidr');
  if (text === '') return undefined;
  const lengths = isObject(rule['prefixLength']) ? rule['prefixLength'] : {};
  const { min, max } = lengths;
  return {
    cidr: Cidr.parse(text),
    match: matchOf(stringOf(rule, 'matchOperator')),
    ...given('min', typeof min === 'number' ? min : undefined),
    ...given('max', typeof max === 'number' ? max : undefined),
  };
}

function matchOf(text: string): BgpFilterMatch {
  return text === 'Equal' || text === 'NotEqual' || text === 'NotIn' ? text : 'In';
}

function operationOf(operation: JsonObject): BgpFilterOperation | undefined {
  const { addCommunity, prependASPath, setPriority } = operation;
  if (isObject(addCommunity)) {
    return { type: 'add-community', community: stringOf(addCommunity, 'value') };
  }
  if (isObject(prependASPath)) {
    return { type: 'prepend-as-path', asNumbers: asNumbersOf(prependASPath, 'prefix') };
  }
  const priority = isObject(setPriority) ? setPriority['value'] : undefined;
  return typeof priority === 'number' ? { type: 'set-priority', priority } : undefined;
}

function asNumbersOf(object: JsonObject, member: string): number[] {
  const list = object[member];
  return Array.isArray(list) ? list.flatMap((value: unknown) => toAsNumber(value) ?? []) : [];
}
