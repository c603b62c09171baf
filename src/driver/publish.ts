import { isFault } from '../base/index.js';
import { withdraw, type EndpointsContext } from './context.js';
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
  const bindings = readPortMap(body.Options);
  if (bindings.length === 0) return;
  const { book, networks, programmer } = context;
  const id = body.EndpointID;
  const { endpoint } = requireEndpoint(context, id);
  if ((await networks.require(body.NetworkID, { signal })).internal) return;
  const published = await reserve(context, id, () =>
    programmer.reservePorts(id, bindings, endpoint.addresses),
  );
  try {
    const record = { ...requireEndpoint(context, id), published };
    book.put(record);
    book.persist(record);
    await programmer.program(asProgrammed(context, record), signal);
  } catch (error) {
    await unpublishPorts(context, id);
    throw error;
  }
}

/**
 * A dockerd that was killed gives up no port. Its dead containers' interfaces are gone, which tells them from living ones;
 * a container that comes back must have its ports.
 */
async function reserve<T>(
  context: EndpointsContext,
  id: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error, 'exists') || !(await freePortsOfDead(context, id))) throw error;
    return work();
  }
}

/** True when there were some. */
async function freePortsOfDead(context: EndpointsContext, id: string): Promise<boolean> {
  const { book, netlink } = context;
  let freed = false;
  for (const { id: other, published, endpoint } of book.all()) {
    if (other === id || published.length === 0) continue;
    if ((await netlink.linkByName(endpoint.interfaceName)) !== undefined) continue;
    const dead = book.get(other);
    if (dead !== undefined) book.put({ ...dead, published: [] });
    await withdraw(context, other);
    freed = true;
  }
  return freed;
}

/** RevokeExternalConnectivity; success for an endpoint that is unknown or has none. */
export async function unpublishPorts(context: EndpointsContext, id: string): Promise<void> {
  const { book, programmer } = context;
  const known = book.get(id);
  if (known === undefined || known.going || known.published.length === 0) return;
  const record = { ...known, published: [] };
  book.put(record);
  book.persist(record);
  await programmer.program(asProgrammed(context, record));
}
