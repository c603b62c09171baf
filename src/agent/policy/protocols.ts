const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
};

export const ICMP = 1;
export const TCP = 6;
export const ICMPV6 = 58;

/** Protocols whose ports rules may name, with nft's names of them. */
export const PORT_PROTOCOLS: Readonly<Record<number, string>> = {
  6: 'tcp',
  17: 'udp',
  132: 'sctp',
};

/** A protocol as stored, by name in any case or by number; undefined when it is none. */
export function protocolNumber(protocol: string | number): number | undefined {
  const text = String(protocol).toLowerCase();
  const named = Object.hasOwn(PROTOCOLS, text) ? PROTOCOLS[text] : undefined;
  const number = named ?? (/^\d{1,3}$/.test(text) ? Number(text) : 0);
  return number >= 1 && number <= 255 ? number : undefined;
}
