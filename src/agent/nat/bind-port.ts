import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { PublishedPort } from '../../model/index.js';

/** A socket that holds a port. */
export interface Bound {
  readonly port: number;
  close(): void;
}

/** Rejects with the error of the system call. */
export async function bind({
  protocol,
  hostAddress,
  hostPort,
  address,
}: PublishedPort): Promise<Bound> {
  const six = address.includes(':');
  const host = hostAddress === '' ? (six ? '::' : '0.0.0.0') : hostAddress;
  if (protocol === 'tcp') return bindTcp(host, hostPort, six);
  if (protocol === 'udp') return bindUdp(host, hostPort, six);
  // Node has no sockets of SCTP: two containers are kept apart by what each holds here, other programs are not.
  if (hostPort === 0) throw new Error('name the port: a free one of SCTP cannot be found');
  return { port: hostPort, close: () => undefined };
}

function bindTcp(host: string, port: number, six: boolean): Promise<Bound> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    // Stays: one that comes later has nobody else to hear it.
    server.on('error', reject);
    server.listen({ host, port, exclusive: true, ipv6Only: six }, () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new Error('a socket without address');
      server.unref();
      resolve({ port: bound.port, close: () => void server.close() });
    });
  });
}

function bindUdp(host: string, port: number, six: boolean): Promise<Bound> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six });
    let closed = false;
    const close = (): void => {
      if (!closed) socket.close();
      closed = true;
    };
    socket.on('error', (error) => {
      close();
      reject(error);
    });
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.unref();
      resolve({ port: socket.address().port, close });
    });
  });
}
