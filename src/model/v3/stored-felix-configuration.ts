import { Cidr } from '../cidr.js';
import { Address } from '../address.js';
import type { FailsafePort, FelixConfiguration } from '../felix.js';
import { isObject, type JsonObject } from './json.js';
import {
  API_VERSION,
  decodeKind,
  encodeResource,
  newMetadata,
  stringOf,
  type Identity,
  type Resource,
} from './resource.js';

/** A new FelixConfiguration with these members. */
export function encodeFelixConfiguration(
  name: string,
  spec: JsonObject,
  identity: Identity,
): string {
  return encodeResource({
    kind: 'FelixConfiguration',
    apiVersion: API_VERSION,
    metadata: newMetadata(name, identity),
    spec,
  });
}

/** The stored object with these members set and all others as they stand. */
export function updateFelixConfiguration(previous: string, spec: JsonObject): string {
  const resource = decodeKind('FelixConfiguration', previous);
  return encodeResource({ ...resource, spec: { ...resource.spec, ...spec } });
}

const ACTIONS = ['Drop', 'Return', 'Accept'] as const;
const CLUSTER_ROUTES = ['Disabled', 'EnabledIPIPOnly', 'EnabledNoEncapOnly', 'Enabled'] as const;

/** A FelixConfiguration; members that cannot be used count as not set, as everything else in it goes on counting. */
export function decodeFelixConfiguration(value: string, where?: string): FelixConfiguration {
  return toFelixConfiguration(decodeKind('FelixConfiguration', value, where));
}

export function toFelixConfiguration({ spec }: Resource): FelixConfiguration {
  const found = {
    defaultEndpointToHostAction: choice(spec['defaultEndpointToHostAction'], ACTIONS),
    failsafeInboundHostPorts: failsafes(spec['failsafeInboundHostPorts']),
    failsafeOutboundHostPorts: failsafes(spec['failsafeOutboundHostPorts']),
    vxlanPort: whole(spec['vxlanPort'], 1, 65_535),
    vxlanVni: whole(spec['vxlanVNI'], 1, 16_777_215),
    vxlanMtu: whole(spec['vxlanMTU'], 0, 65_535),
    vxlanMtuV6: whole(spec['vxlanMTUV6'], 0, 65_535),
    ipipMtu: whole(spec['ipipMTU'], 0, 65_535),
    vxlanEnabled: flag(spec['vxlanEnabled']),
    ipipEnabled: flag(spec['ipipEnabled']),
    mtuIfacePattern: text(spec, 'mtuIfacePattern'),
    programClusterRoutes: choice(spec['programClusterRoutes'], CLUSTER_ROUTES),
    externalNodesList: networks(spec['externalNodesList']),
    ipv6Support: flag(spec['ipv6Support']),
    logPrefix: text(spec, 'logPrefix'),
  };
  return Object.fromEntries(
    Object.entries(found).filter(([, member]) => member !== undefined),
  ) as FelixConfiguration;
}

/** Felix's own name of a parameter, lower case → the member of `spec`. */
const PARAMETERS: Readonly<Record<string, string>> = {
  defaultendpointtohostaction: 'defaultEndpointToHostAction',
  failsafeinboundhostports: 'failsafeInboundHostPorts',
  failsafeoutboundhostports: 'failsafeOutboundHostPorts',
  vxlanport: 'vxlanPort',
  vxlanvni: 'vxlanVNI',
  vxlanmtu: 'vxlanMTU',
  vxlanmtuv6: 'vxlanMTUV6',
  ipinipmtu: 'ipipMTU',
  vxlanenabled: 'vxlanEnabled',
  ipinipenabled: 'ipipEnabled',
  mtuifacepattern: 'mtuIfacePattern',
  programclusterroutes: 'programClusterRoutes',
  externalnodescidrlist: 'externalNodesList',
  ipv6support: 'ipv6Support',
  logprefix: 'logPrefix',
};

/** `FELIX_*` variables, names in lower case without the prefix, as the object they override. */
export function felixFromVariables(
  variables: Readonly<Record<string, string>>,
): FelixConfiguration {
  const spec: JsonObject = {};
  for (const [name, value] of Object.entries(variables)) {
    const member = PARAMETERS[name];
    if (member !== undefined && value !== '') spec[member] = fromText(member, value);
  }
  const resource = { kind: 'FelixConfiguration', apiVersion: '', metadata: { name: 'variables' } };
  return toFelixConfiguration({ ...resource, spec });
}

function fromText(member: string, value: string): unknown {
  if (member.startsWith('failsafe'))
    return value.toLowerCase() === 'none' ? [] : value.split(',').map(failsafeText);
  if (member === 'externalNodesList') return value.split(',').map((each) => each.trim());
  if (/^(?:true|yes|1|t)$/i.test(value) && !/MTU|Port|VNI/.test(member)) return true;
  if (/^(?:false|no|0|f)$/i.test(value) && !/MTU|Port|VNI/.test(member)) return false;
  return /^\d+$/.test(value) ? Number(value) : value;
}

/** `tcp:22` or `tcp:10.0.0.0/8:22`; a bare number is TCP. */
function failsafeText(value: string): unknown {
  const parts = value.trim().split(':');
  const port = Number(parts.at(-1));
  const protocol = parts.length > 1 ? parts[0] : 'tcp';
  const net = parts.slice(1, -1).join(':');
  return { protocol, port, ...(net === '' ? {} : { net }) };
}

function failsafes(value: unknown): readonly FailsafePort[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((item: unknown) => {
    if (!isObject(item)) return [];
    const port = whole(item['port'], 1, 65_535);
    const net = text(item, 'net');
    const cidr = net === undefined ? undefined : networkOf(net);
    // One that cannot be read must not open the port for everybody.
    if (port === undefined || (net !== undefined && cidr === undefined)) return [];
    const protocol = stringOf(item, 'protocol', 'tcp').toLowerCase();
    return [{ protocol, port, ...(cidr === undefined ? {} : { net: cidr }) }];
  });
}

function networks(value: unknown): readonly Cidr[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((item) => (typeof item === 'string' ? (networkOf(item) ?? []) : []));
}

function networkOf(value: string): Cidr | undefined {
  const address = Address.tryParse(value);
  return address === undefined ? Cidr.tryParse(value) : Cidr.host(address);
}

function whole(value: unknown, least: number, most: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
    ? value
    : undefined;
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function text(object: JsonObject, member: string): string | undefined {
  const value = stringOf(object, member);
  return value === '' ? undefined : value;
}

function choice<const T extends string>(value: unknown, known: readonly T[]): T | undefined {
  if (typeof value !== 'string') return undefined;
  return known.find((each) => each.toLowerCase() === value.toLowerCase());
}
