// A TCP proxy that delays every byte by half of the given round trip, each way.
//
//   node --import tsx bench/delay-proxy.ts LISTEN-PORT TO-PORT ROUND-TRIP-MS
//
// The growth of a call's latency divided by the round trip is the number of requests that it makes one after the other.
import { connect, createServer, type Socket } from 'node:net';

const [listen = 0, to = 0, roundTrip = 0] = process.argv.slice(2).map(Number);

/** Passes the bytes of one direction on, in order, each chunk half a round trip after it came. */
function delay(from: Socket, onto: Socket): void {
  from.on('data', (chunk: Buffer) => {
    setTimeout(() => {
      if (!onto.destroyed) onto.write(chunk);
    }, roundTrip / 2);
  });
  from.on('end', () => setTimeout(() => onto.end(), roundTrip / 2));
  from.on('error', () => onto.destroy());
  from.on('close', () => setTimeout(() => onto.destroy(), roundTrip));
}

const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const upstream = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  delay(client, upstream);
  delay(upstream, client);
});
server.listen(listen, '127.0.0.1', () => console.log('listening'));
