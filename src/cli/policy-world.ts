import { isFault, messageOf } from '../base/index.js';
import { readDaemonConfig } from '../config/index.js';
import { resourcePrefix, type CallOptions, type Store } from '../datastore/index.js';
import {
  Address,
  Cidr,
  encapsulationInUse,
  mergeFelix,
  ORCHESTRATOR,
  type EncapsulationInUse,
  type FailsafePort,
  type FelixConfiguration,
} from '../model/index.js';
import {
  decodeHostEndpoint,
  decodeIpPool,
  decodeNetworkPolicy,
  decodeNetworkSet,
  decodeNode,
  decodeProfile,
  decodeResource,
  decodeTier,
  decodeWorkloadEndpoint,
  defaultAllowProfile,
  stringMapOf,
  stringOf,
  toFelixConfiguration,
} from '../model/v3/index.js';
import {
  defaultVerdictSettings,
  type VerdictSettings,
  type Workload,
  type World,
} from '../model/verdict/index.js';
import type { Io } from './io.js';

/** An endpoint with what its user calls it. */
export interface KnownWorkload extends Workload {
  readonly containerId: string;
  /** Docker's EndpointID for ours. */
  readonly endpoint: string;
  /** Empty when no daemon has written it. */
  readonly containerName: string;
  /** What the agent of its host calls it: Docker's EndpointID for ours, else the stored key. */
  readonly agentId: string;
}

export interface KnownWorld extends World {
  readonly workloads: readonly KnownWorkload[];
}

/** One stored object; `where` names it in messages. */
export interface WorldEntry {
  readonly plural: string;
  readonly where: string;
  readonly value: string;
}

const CONTAINER_NAME_ANNOTATION = 'calico-libnetwork/container-name';
/** A FelixConfiguration of this name and the node's is for that one, over `default`. */
const NODE_PREFIX = 'node.';
const PLURALS = [
  'workloadendpoints',
  'hostendpoints',
  'profiles',
  'networkpolicies',
  'globalnetworkpolicies',
  'tiers',
  'networksets',
  'globalnetworksets',
  'nodes',
  'ippools',
  'felixconfigurations',
];

/** Everything in the datastore that policies depend on, as of one revision. */
export async function readWorld(io: Io, store: Store, options?: CallOptions): Promise<KnownWorld> {
  const prefixes = PLURALS.map((plural) => resourcePrefix(plural));
  const { entries } = await store.list(prefixes, options);
  return worldOf(
    io,
    entries.flatMap(({ key, value }) => {
      const at = prefixes.findIndex((prefix) => key.startsWith(prefix));
      const plural = PLURALS[at];
      return plural === undefined ? [] : [{ plural, where: key, value }];
    }),
    hostReachOf(io),
  );
}

/** A setting of the daemons, not of the datastore; this host's stands for all. */
function hostReachOf({ inputs }: Io): VerdictSettings['hostReach'] {
  return readDaemonConfig({ ...inputs, argv: [] }).settings.hostReach === 'all' ? 'all' : 'own';
}

/** The world that stored objects make; of those that cannot be understood the user is told. */
export function worldOf(
  io: Io,
  entries: readonly WorldEntry[],
  hostReach: VerdictSettings['hostReach'],
): KnownWorld {
  const read = <T>(plural: string, decode: (value: string, where: string) => T): T[] =>
    entries
      .filter((entry) => entry.plural === plural)
      .flatMap(({ value, where }) => {
        try {
          return [decode(value, where)];
        } catch (error) {
          if (!isFault(error, 'corrupt')) throw error;
          io.err(`note: ${messageOf(error)}; it counts as absent\n`);
          return [];
        }
      });
  const pools = read('ippools', decodeIpPool);
  const configured = new Map(
    read('felixconfigurations', decodeResource).map((each) => [
      each.metadata.name,
      toFelixConfiguration(each),
    ]),
  );
  const settingsFor = (felix: FelixConfiguration): VerdictSettings =>
    settingsOf(felix, { hostReach, ...encapsulationInUse(pools, felix) });
  const felix = configured.get('default') ?? {};
  const ofNodes = [...configured].flatMap(([name, own]) =>
    name.startsWith(NODE_PREFIX)
      ? [[name.slice(NODE_PREFIX.length), settingsFor(mergeFelix(felix, own))] as const]
      : [],
  );
  return {
    workloads: read('workloadendpoints', toKnownWorkload),
    hostEndpoints: read('hostendpoints', decodeHostEndpoint),
    profiles: [...read('profiles', decodeProfile), defaultAllowProfile],
    policies: [
      ...read('networkpolicies', decodeNetworkPolicy),
      ...read('globalnetworkpolicies', decodeNetworkPolicy),
    ],
    tiers: read('tiers', decodeTier),
    networkSets: [
      ...read('networksets', decodeNetworkSet),
      ...read('globalnetworksets', decodeNetworkSet),
    ],
    nodes: read('nodes', toWorldNode),
    settings: settingsFor(felix),
    nodeSettings: Object.fromEntries(ofNodes),
  };
}

function toKnownWorkload(value: string, where: string): KnownWorkload {
  const annotations = stringMapOf(decodeResource(value, where).metadata.annotations);
  const workload = decodeWorkloadEndpoint(value, where);
  return {
    ...workload,
    containerName: stringOf(annotations, CONTAINER_NAME_ANNOTATION),
    agentId: workload.orchestrator === ORCHESTRATOR ? workload.endpoint : where,
  };
}

function toWorldNode(value: string, where: string): World['nodes'][number] {
  const node = decodeNode(value, where);
  const addresses = [
    node.ipv4Address,
    node.ipv6Address,
    node.ipv4IpipTunnelAddress,
    node.ipv4VxlanTunnelAddress,
    node.ipv6VxlanTunnelAddress,
  ]
    .map((text) => (text === undefined ? undefined : addressIn(text)))
    .filter((address) => address !== undefined);
  return { name: node.name, addresses };
}

function addressIn(text: string): Address | undefined {
  return Cidr.tryParseInterface(text)?.address ?? Address.tryParse(text);
}

/** What the configuration says, as far as it concerns verdicts. */
function settingsOf(
  felix: FelixConfiguration,
  elsewhere: EncapsulationInUse & Pick<VerdictSettings, 'hostReach'>,
): VerdictSettings {
  const { endpointToHost, failsafeInbound, failsafeOutbound } = defaultVerdictSettings;
  return {
    endpointToHost: felix.defaultEndpointToHostAction ?? endpointToHost,
    failsafeInbound: felix.failsafeInboundHostPorts?.map(inWords) ?? failsafeInbound,
    failsafeOutbound: felix.failsafeOutboundHostPorts?.map(inWords) ?? failsafeOutbound,
    ...elsewhere,
  };
}

/** The evaluator takes networks as text. */
function inWords({ net, ...port }: FailsafePort): VerdictSettings['failsafeInbound'][number] {
  return { ...port, ...(net === undefined ? {} : { net: net.toString() }) };
}
