import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { deadline, orAbort } from '../base/index.js';
import { Address, type Family } from '../model/index.js';

/**
 * The address that the kernel would send from towards a host, or undefined when there is no route or
 * no such host. Connecting a UDP socket sends nothing. Bounded by 5 s, most of it for the name.
 */
export async function sourceTowards(
  destination: string,
  family: Family,
  signal?: AbortSignal,
): Promise<Address | undefined> {
  const bound = deadline(5_000, signal);
  const target = await orAbort(resolve(destination, family), bound, `looking up ${destination}`);
  return target === undefined
    ? undefined
    : orAbort(connectTo(target, family), bound, 'finding a route');
}

async function resolve(destination: string, family: Family): Promise<string | undefined> {
  const literal = Address.tryParse(destination);
  if (literal !== undefined) return literal.family === family ? destination : undefined;
  try {
    return (await lookup(destination, { family })).address;
  } catch {
    // An unknown name is an answer of its own: the caller says what could not be reached.
    return undefined;
  }
}

async function connectTo(target: string, family: Family): Promise<Address | undefined> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  try {
    return await new Promise((resolveSource) => {
      // ENETUNREACH and the like: no route, which is what was asked.
      socket.once('error', () => resolveSource(undefined));
      socket.connect(80, target, () => resolveSource(Address.tryParse(socket.address().address)));
    });
  } finally {
    socket.close();
  }
}
