const NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
};

/** The number of a protocol as stored; undefined when it is none. */
export function protocolNumber(protocol: string | number): number | undefined {
  const text = String(protocol).toLowerCase();
  const number = NUMBERS[text] ?? (/^\d{1,3}$/.test(text) ? Number(text) : undefined);
  return number !== undefined && number >= 1 && number <= 255 ? number : undefined;
}
