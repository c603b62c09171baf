import { isFault, messageOf } from '../base/index.js';
import type { Address, Family, PortBinding, PublishedPort } from '../model/index.js';
import { isLive } from './bound-endpoint.js';
import { isReplaced, requireNetwork, withdraw, type EndpointsContext } from './context.js';
import type { EndpointRecord } from './endpoint-book.js';
import { asProgrammed } from './endpoint-changes.js';
import { requireEndpoint } from './join.js';
import { readPortMap } from './port-map.js';
import type { ProgramBody } from './schema.js';

/**
 * ProgramExternalConnectivity: ports of this host lead to the endpoint when it settles, all of them or none. Docker sends it
 * to internal networks too, when another network of the container goes (plugin protocol §2.4).
 */
export async function publishPorts(
  context: EndpointsContext,
  body: ProgramBody,
  signal: AbortSignal,
): Promise<void> {
  const { book, networks, programmer } = context;
  const id = body.EndpointID;
  const bindings = readPortMap(body.Options);
  if (bindings.length === 0) return unpublishPorts(context, id);
  requireNetwork(requireEndpoint(context, id), body.NetworkID);
  if ((await networks.require(body.NetworkID, { signal })).internal) return;
  const share = await shareOf(context, requireEndpoint(context, id), bindings);
  const published = await reserve(context, id, share.bindings, () =>
    programmer.reservePorts(id, share.bindings, share.addresses, signal),
  );
  const before = book.get(id)?.published ?? [];
  try {
    const record = { ...requireEndpoint(context, id), published };
    book.put(record);
    book.persist(record);
    await programmer.program(asProgrammed(context, record), signal);
  } catch (error) {
    await putBack(context, id, before);
    throw error;
  }
}

/** The ports of before, also when the endpoint has gone meanwhile: then nobody else would free those that were reserved. */
async function putBack(
  context: EndpointsContext,
  id: string,
  published: readonly PublishedPort[],
): Promise<void> {
  const { book, programmer, log } = context;
  const known = book.get(id);
  try {
    if (known === undefined || known.going) return;
    const record = { ...known, published };
    book.put(record);
    book.persist(record);
    await programmer.program(asProgrammed(context, record));
  } catch (error) {
    log.warn({ EndpointID: id, error: messageOf(error) }, 'ports are not wholly given up');
  } finally {
    programmer.releasePorts(id);
  }
}

/**
 * Since engine 29 a container has one gateway endpoint per family, and both are told of all ports: what is published by
 * the other one stays there, unless nothing would be left for this one. Then this is the newer gateway.
 */
async function shareOf(
  context: EndpointsContext,
  record: EndpointRecord,
  bindings: readonly PortBinding[],
): Promise<{ readonly bindings: readonly PortBinding[]; readonly addresses: readonly Address[] }> {
  const all = record.endpoint.addresses;
  const siblings =
    record.sandboxKey === ''
      ? []
      : context.book.inSandbox(record.sandboxKey).filter(({ id }) => id !== record.id);
  const theirs = new Set(siblings.flatMap(({ published }) => published.map(familyOf)));
  const left = all.filter(({ family }) => !theirs.has(family));
  const addresses = left.length === 0 ? all : left;
  const own = new Set(addresses.map(({ family }) => family));
  for (const { id } of siblings)
    await unpublishPorts(context, id, (port) => own.has(familyOf(port)));
  const familyWanted = ({ hostAddress }: PortBinding): boolean => {
    const family = hostAddress.includes(':') ? 6 : 4;
    return hostAddress === '' || own.has(family) || !all.some((one) => one.family === family);
  };
  return { addresses, bindings: bindings.filter(familyWanted) };
}

const familyOf = ({ address }: PublishedPort): Family => (address.includes(':') ? 6 : 4);

/**
 * A dockerd that was killed gives up no port, and its containers may have died without the daemon: who has such a port and
 * lives no more gives way. A container that comes back must have its ports.
 */
async function reserve<T>(
  context: EndpointsContext,
  id: string,
  bindings: readonly PortBinding[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, 'exists') || !(await freePortsOfDead(context, id, bindings))) throw error;
    return work();
  }
}

/** True when there were some. */
async function freePortsOfDead(
  context: EndpointsContext,
  id: string,
  bindings: readonly PortBinding[],
): Promise<boolean> {
  const inTheWay = context.book
    .all()
    .filter(({ id: other, published }) => other !== id && published.some(concerns(bindings)));
  const freed = await Promise.all(inTheWay.map((other) => freeIfDead(context, other)));
  return freed.includes(true);
}

const concerns =
  (bindings: readonly PortBinding[]) =>
  ({ protocol, hostPort }: PublishedPort): boolean =>
    bindings.some(
      (one) => one.protocol === protocol && hostPort >= one.hostPort && hostPort <= one.hostPortEnd,
    );

async function freeIfDead(context: EndpointsContext, other: EndpointRecord): Promise<boolean> {
  const { book } = context;
  // One that has left, and is about to go.
  const live = other.slot > 0 && !other.going && (await isLive(context, other.id, true));
  const now = book.get(other.id);
  if (live || now === undefined || isReplaced(context, other)) return !live;
  book.put({ ...now, published: [] });
  await withdraw(context, other.id);
  return true;
}

/** RevokeExternalConnectivity; success for an endpoint that is unknown or has none. Of its ports those that are `ended`. */
export async function unpublishPorts(
  context: EndpointsContext,
  id: string,
  ended: (port: PublishedPort) => boolean = () => true,
): Promise<void> {
  const { book, programmer } = context;
  const known = book.get(id);
  if (known === undefined || known.going || !known.published.some(ended)) return;
  const record = { ...known, published: known.published.filter((port) => !ended(port)) };
  book.put(record);
  book.persist(record);
  await programmer.program(asProgrammed(context, record));
}
