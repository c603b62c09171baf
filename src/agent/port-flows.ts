import { isDeepStrictEqual } from 'node:util';
import { messageOf, type Log } from '../base/index.js';
import type { PortProtocol, PublishedPort } from '../model/index.js';
import type { ConnectionFlow, Netlink } from '../netlink/index.js';

const NUMBERS: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/**
 * Ends what the kernel remembers wrongly once an endpoint's ports are others: connections by ports that are published no
 * more, and the untranslated ones of senders without a handshake, who went on while their port was not published yet.
 * What fails is logged: the ports themselves are in the kernel.
 */
export async function cutPortFlows(
  {
    netlink,
    log,
  }: { readonly netlink: Pick<Netlink, 'addresses' | 'cutFlows'>; readonly log: Log },
  before: readonly PublishedPort[],
  now: readonly PublishedPort[],
): Promise<void> {
  const without = (some: readonly PublishedPort[], others: readonly PublishedPort[]) =>
    some.filter((port) => !others.some((other) => isDeepStrictEqual(port, other)));
  const ended = without(before, now);
  const begun = without(now, before).filter(({ protocol }) => protocol !== 'tcp');
  if (ended.length + begun.length === 0) return;
  try {
    const own = await netlink.addresses();
    const hosts = new Set(own.map(({ address }) => String(address)));
    await netlink.cutFlows((flow) =>
      flow.translated === true
        ? ended.some((port) => isOf(flow, port, port.address, port.port))
        : hosts.has(String(flow.destination)) &&
          begun.some((port) => isOf(flow, port, String(flow.destination), port.hostPort)),
    );
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'connections of published ports were not ended');
  }
}

function isOf(
  flow: ConnectionFlow,
  { protocol }: PublishedPort,
  address: string,
  port: number,
): boolean {
  return (
    flow.protocol === NUMBERS[protocol] &&
    String(flow.destination) === address &&
    flow.destinationPort === port
  );
}
