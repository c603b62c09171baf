import { both, shown, Unsupported, type Match } from './match.js';

const PORT_PROTOCOLS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** Ports of one side; nothing gives Docker endpoints named ones. */
export function portsMatch(
  ports: readonly (number | string)[],
  port: string,
  protocol: number | undefined,
  negated: boolean,
): Match | Unsupported {
  const name = protocol === undefined ? undefined : PORT_PROTOCOLS[protocol];
  if (name === undefined) return new Unsupported('ports without protocol TCP, UDP or SCTP');
  if (!Array.isArray(ports)) return new Unsupported(`ports ${shown(ports)}`);
  const ranges: [number, number][] = [];
  for (const one of ports as readonly (number | string)[]) {
    const range = portRange(one);
    if (range === undefined) return new Unsupported(`port ${shown(one)}`);
    ranges.push(range);
  }
  const list = mergeRanges(ranges).map(([first, last]) =>
    first === last ? `${first}` : `${first}-${last}`,
  );
  return both(`${name} ${port} ${negated ? '!= ' : ''}{ ${list.join(', ')} }`);
}

/** A number, `first:last`, or undefined for a name: nothing gives Docker endpoints named ports. */
function portRange(port: number | string): [number, number] | undefined {
  const match = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(String(port));
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65_535 ? [first, last] : undefined;
}

function mergeRanges(ranges: readonly [number, number][]): [number, number][] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((left, right) => left[0] - right[0])) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1)
      previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}
