import { Fault, messageOf, toFault } from '../base/index.js';
import { Cidr, type Address } from '../model/index.js';
import { LABEL_PREFIX } from './endpoint-metadata.js';
import type { DockerContainer, DockerNetwork } from './engine-records.js';
import type { Engine } from './engine.js';
import { isDriver } from './ours.js';

/** A container that runs without a network is to have one address. */
export interface AttachRequest {
  /** Its name, or the beginning of its id. */
  readonly container: string;
  readonly address: Address;
  /** One of ours that has the address; found by the address unless told. */
  readonly network?: string | undefined;
}

export interface AttachParts {
  readonly engine: Pick<
    Engine,
    'container' | 'networks' | 'createNetwork' | 'connect' | 'disconnect'
  >;
  readonly driverName: string;
  readonly ipamDriverName: string;
  /** The pool that an address is in; throws `not-found` with those that there are. */
  readonly poolOf: (address: Address) => { readonly name: string; readonly cidr: Cidr };
  /** Throws `exists` when somebody holds it: an engine would not forget a network that it was refused. */
  readonly refuseTaken: (address: Address) => Promise<void>;
}

/** What was done, in the container's and the network's names. */
export interface Attached {
  readonly container: string;
  readonly network: string;
  /** No network of ours had the address: this one was made. */
  readonly isNew: boolean;
}

export interface Detached {
  readonly container: string;
  readonly networks: readonly string[];
}

const NONE = 'none';
const APP = 'app';

/**
 * Attaches a container that was started with `--net=none`, by Docker's own means, so that Docker remembers it and does
 * it again whenever the container starts. Docker calls us meanwhile. Undone when it fails.
 */
export async function attachContainer(
  parts: AttachParts,
  request: AttachRequest,
): Promise<Attached> {
  const { engine } = parts;
  const { address } = request;
  const container = await engine.container(request.container);
  refuseUnfit(container, parts, await engine.networks(), address);
  await parts.refuseTaken(address);
  const { network, isNew } = await networkFor(parts, request);
  const wasNone = container.networks.includes(NONE);
  if (wasNone) await engine.disconnect(NONE, container.id);
  try {
    await engine.connect(network, container.id, {
      IPAMConfig: { [address.family === 4 ? 'IPv4Address' : 'IPv6Address']: String(address) },
      DriverOpts: { [`${LABEL_PREFIX}${APP}`]: appOf(container) },
    });
  } catch (error) {
    throw await undone(engine, { container, network, wasNone }, toFault(error));
  }
  return { container: container.name, network, isNew };
}

/** A refused network stays in the books of some engines, and would be asked for again at each start. */
async function undone(
  engine: AttachParts['engine'],
  was: { readonly container: DockerContainer; readonly network: string; readonly wasNone: boolean },
  failure: Fault,
): Promise<Fault> {
  const { container, network, wasNone } = was;
  try {
    const { networks } = await engine.container(container.id);
    if (networks.includes(network)) await engine.disconnect(network, container.id, true);
    if (wasNone) await engine.connect(NONE, container.id, {});
    return failure;
  } catch (error) {
    const { kind, message } = failure;
    const words = `${message}; and container ${container.name} could not be put back: ${messageOf(error)}`;
    return new Fault(kind, words, { reason: 'not-undone', cause: failure });
  }
}

/** Takes a container off all networks of ours; one that was started with `--net=none` is without a network again. */
export async function detachContainer(
  { engine, driverName }: Pick<AttachParts, 'engine' | 'driverName'>,
  word: string,
): Promise<Detached> {
  const container = await engine.container(word);
  const ours = (await engine.networks()).filter(({ driver }) => isDriver(driver, driverName));
  const networks = container.networks.filter((name) => ours.some((one) => one.name === name));
  if (networks.length === 0) {
    throw new Fault(
      'not-found',
      `container ${container.name} is on no network of ${driverName}; it has ${container.networks.join(', ') || 'none'}`,
      { reason: 'not-attached' },
    );
  }
  for (const name of networks) await engine.disconnect(name, container.id);
  const isBare = container.networkMode === NONE && networks.length === container.networks.length;
  if (isBare) await engine.connect(NONE, container.id, {});
  return { container: container.name, networks };
}

function refuseUnfit(
  { name, networkMode, networks, isRunning }: DockerContainer,
  { driverName }: AttachParts,
  all: readonly DockerNetwork[],
  address: Address,
): void {
  const refuse = (why: string): never => {
    throw new Fault('refused', `container ${name} ${why}`, { reason: 'not-attachable' });
  };
  if (!isRunning) refuse(`does not run: docker start ${name}`);
  if (networkMode === 'host' || networkMode.startsWith('container:')) {
    refuse(`has no network of its own (--net=${networkMode}): start it with --net=none`);
  }
  const ours = all.filter(({ driver }) => isDriver(driver, driverName));
  const taken = networks.find((one) => ours.some((network) => network.name === one));
  if (taken !== undefined) {
    refuse(
      `is attached already, to network ${taken}: calicoctl container remove ${name}, or for a second network docker network connect --ip ${address} NETWORK ${name}`,
    );
  }
}

async function networkFor(
  { engine, driverName, ipamDriverName, poolOf }: AttachParts,
  { address, network: asked }: AttachRequest,
): Promise<{ readonly network: string; readonly isNew: boolean }> {
  const networks = await engine.networks();
  const found = networks
    .filter(({ driver, name }) => isDriver(driver, driverName) && (asked ?? name) === name)
    .flatMap(({ name, subnets }) => {
      const subnet = subnets
        .flatMap((one) => Cidr.tryParse(one.subnet) ?? [])
        .find((cidr) => cidr.contains(address));
      return subnet === undefined ? [] : [{ name, subnet }];
    })
    .sort((a, b) => b.subnet.prefix - a.subnet.prefix || (a.name < b.name ? -1 : 1))[0];
  if (found !== undefined) return { network: found.name, isNew: false };
  if (asked !== undefined) {
    const message = `there is no ${driverName} network ${asked} with a subnet that has ${address}`;
    throw new Fault('not-found', message, { reason: 'no-such-network' });
  }
  const pool = poolOf(address);
  const name = `calico-${pool.name}`;
  await engine.createNetwork({
    ...{ Name: name, Driver: driverName, CheckDuplicate: true, EnableIPv6: address.family === 6 },
    IPAM: { Driver: ipamDriverName, Config: [{ Subnet: String(pool.cidr) }] },
  });
  return { network: name, isNew: true };
}

/** Its own label, also when labels of that form are not copied; else its name. */
function appOf({ name, labels }: DockerContainer): string {
  return labels[`${LABEL_PREFIX}${APP}`] ?? labels[APP] ?? name;
}
