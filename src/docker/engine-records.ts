/** What the Docker API answers, in our form. Readers tolerate absent and null members: engines differ. */

export interface EngineIdentity {
  /** Docker's own id of the engine (`docker info`); kept over restarts, new with a new data root. */
  readonly id: string;
  readonly version: string;
  /** Negotiated, such as `1.41`. */
  readonly apiVersion: string;
}

export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly ipamDriver: string;
  /** `local`, `global` or `swarm`. */
  readonly scope: string;
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly subnets: readonly {
    readonly subnet: string;
    readonly gateway: string;
    /** `--aux-address`. */
    readonly auxiliary: readonly string[];
  }[];
}

/** One endpoint of a container, as `GET /containers/json` tells it. */
export interface DockerEndpoint {
  readonly endpointId: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly containerId: string;
  /** Without the leading slash. */
  readonly containerName: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As Docker prints them, without length. */
  readonly addresses: readonly string[];
  readonly mac: string;
}

/** One container, as `GET /containers/{id}/json` tells it. */
export interface DockerContainer {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly isRunning: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** What it was started with, such as `none`, `host` or `container:<id>`. */
  readonly networkMode: string;
  /** Names of its networks now. */
  readonly networks: readonly string[];
}

/** One entry of `GET /networks/{id}`, also for endpoints whose container is gone. */
export interface DockerAttachment {
  readonly endpointId: string;
  readonly addresses: readonly string[];
}

export interface DockerEvent {
  readonly type: 'network' | 'container';
  readonly action: string;
  /** Network or container id. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Seconds since the epoch with a fraction, as the `since` of a later stream. */
  readonly time: string;
}

type Json = Readonly<Record<string, unknown>>;

export function readNetworks(body: unknown): DockerNetwork[] {
  return objectsOf(body).flatMap((entry) => {
    const id = textOf(entry['Id']);
    if (id === '') return [];
    const ipam = objectOf(entry['IPAM']);
    return {
      id,
      name: textOf(entry['Name']),
      driver: textOf(entry['Driver']),
      ipamDriver: textOf(ipam['Driver']),
      scope: textOf(entry['Scope']),
      internal: entry['Internal'] === true,
      labels: textsOf(entry['Labels']),
      options: textsOf(entry['Options']),
      subnets: objectsOf(ipam['Config']).map((config) => ({
        subnet: textOf(config['Subnet']),
        gateway: textOf(config['Gateway']),
        auxiliary: Object.values(textsOf(config['AuxiliaryAddresses'])),
      })),
    };
  });
}

/**
 * After a crash of dockerd the list keeps the dead endpoint and address of each container that is not
 * started again (measured on 20.10 and 28); a graceful stop empties them.
 */
const NOT_ALIVE = ['created', 'exited', 'dead'];

/** Endpoints of the live containers of a list. */
export function readEndpoints(body: unknown): DockerEndpoint[] {
  return objectsOf(body).flatMap((container) => {
    if (NOT_ALIVE.includes(textOf(container['State']))) return [];
    const settings = objectOf(objectOf(container['NetworkSettings'])['Networks']);
    return Object.entries(settings).flatMap(([networkName, value]) => {
      const network = objectOf(value);
      const endpointId = textOf(network['EndpointID']);
      if (endpointId === '') return [];
      return {
        endpointId,
        networkId: textOf(network['NetworkID']),
        networkName,
        containerId: textOf(container['Id']),
        containerName: nameOf(container['Names']),
        labels: textsOf(container['Labels']),
        addresses: addressesOf(network['IPAddress'], network['GlobalIPv6Address']),
        mac: textOf(network['MacAddress']).toLowerCase(),
      };
    });
  });
}

export function readContainer(body: unknown): DockerContainer {
  const container = objectOf(body);
  return {
    id: textOf(container['Id']),
    name: textOf(container['Name']).replace(/^\//, ''),
    isRunning: objectOf(container['State'])['Running'] === true,
    labels: textsOf(objectOf(container['Config'])['Labels']),
    networkMode: textOf(objectOf(container['HostConfig'])['NetworkMode']),
    networks: Object.keys(objectOf(objectOf(container['NetworkSettings'])['Networks'])),
  };
}

/** Attachments of one inspected network. */
export function readAttachments(body: unknown): DockerAttachment[] {
  return Object.values(objectOf(objectOf(body)['Containers'])).map((value) => {
    const entry = objectOf(value);
    return {
      endpointId: textOf(entry['EndpointID']),
      addresses: addressesOf(entry['IPv4Address'], entry['IPv6Address']),
    };
  });
}

/** Undefined for events of other kinds and lines that are none. */
export function readEvent(line: string): DockerEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const event = objectOf(value);
  const type = event['Type'];
  if (type !== 'network' && type !== 'container') return undefined;
  const actor = objectOf(event['Actor']);
  return {
    type,
    action: textOf(event['Action']),
    id: textOf(actor['ID']),
    attributes: textsOf(actor['Attributes']),
    // timeNano passes 2^53 and is rounded by JSON.parse, by less than a microsecond.
    time: typeof event['timeNano'] === 'number' ? (event['timeNano'] / 1e9).toFixed(6) : '',
  };
}

/** The shortest of a container's names: the others are links, `/other/alias`. */
function nameOf(names: unknown): string {
  const all = Array.isArray(names)
    ? names.filter((name): name is string => typeof name === 'string')
    : [];
  const own = all.find((name) => !name.slice(1).includes('/')) ?? all[0] ?? '';
  return own.replace(/^\//, '');
}

function addressesOf(...texts: readonly unknown[]): string[] {
  return texts.map((text) => textOf(text).split('/', 1)[0] ?? '').filter((text) => text !== '');
}

export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function textsOf(value: unknown): Record<string, string> {
  const pairs = Object.entries(objectOf(value)).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
  return Object.fromEntries(pairs);
}
