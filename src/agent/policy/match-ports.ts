import { createSelector, type Selector } from '../../model/index.js';
import { both, header, shown, Unsupported, type Alternatives, type Match } from './match.js';
import { namedPortSet } from './member-set.js';
import { PORT_PROTOCOLS, TCP } from './protocols.js';

export interface PortSide {
  readonly address: 'saddr' | 'daddr';
  readonly port: 'sport' | 'dport';
  readonly protocol: number | undefined;
  /** Whom the same side of the rule asks for: named ports are theirs. */
  readonly selector: Selector | undefined;
}

/** IANA's form of a service name, of at most 15 characters and more as Calico reads it. */
const PORT_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
const EVERYONE = createSelector({ type: 'all' });

interface Ports {
  readonly ranges: readonly (readonly [number, number])[];
  readonly names: readonly string[];
}

/** One of these ports: numbers are the packet's, names those that its endpoint gives a number to. */
export function portsMatch(
  ports: readonly (number | string)[],
  side: PortSide,
): Alternatives | Unsupported {
  const parsed = parsePorts(ports, side.protocol);
  if (parsed instanceof Unsupported) return parsed;
  const alternatives: Match[] = parsed.names.map((name) => namedMatch(name, side, false));
  if (parsed.ranges.length > 0) {
    alternatives.unshift(both(`${numeric(side)} { ${shownRanges(parsed.ranges)} }`));
  }
  return alternatives;
}

/** None of these ports: each of the results is to hold. */
export function notPortsMatches(
  ports: readonly (number | string)[],
  side: PortSide,
): readonly Match[] | Unsupported {
  const parsed = parsePorts(ports, side.protocol);
  if (parsed instanceof Unsupported) return parsed;
  const matches = parsed.names.map((name) => namedMatch(name, side, true));
  if (parsed.ranges.length > 0) {
    matches.unshift(both(`${numeric(side)} != { ${shownRanges(parsed.ranges)} }`));
  }
  return matches;
}

/** Named ports without a protocol are TCP's (calicoctl refuses them, Felix takes them for any); numbers need one. */
function parsePorts(
  ports: readonly (number | string)[],
  protocol: number | undefined,
): Ports | Unsupported {
  if (!Array.isArray(ports)) return new Unsupported(`ports ${shown(ports)}`);
  const known = protocol !== undefined && Object.hasOwn(PORT_PROTOCOLS, protocol);
  const ranges: [number, number][] = [];
  const names = new Set<string>();
  for (const one of ports as readonly (number | string)[]) {
    const range = portRange(one);
    if (range !== undefined) ranges.push(range);
    else if (typeof one === 'string' && isName(one)) names.add(one);
    else return new Unsupported(`port ${shown(one)}`);
  }
  if (!known && (protocol !== undefined || ranges.length > 0)) {
    return new Unsupported('ports without protocol TCP, UDP or SCTP');
  }
  return { ranges: mergeRanges(ranges), names: [...names].sort() };
}

const isName = (text: string): boolean => PORT_NAME.test(text) && !/^[\d.-]*$/.test(text);

const numeric = ({ protocol, port }: PortSide): string =>
  `${PORT_PROTOCOLS[protocol ?? TCP]} ${port}`;

function namedMatch(name: string, side: PortSide, negated: boolean): Match {
  const set = namedPortSet(side.selector ?? EVERYONE, name, side.protocol ?? TCP);
  const test = (family: 4 | 6) => ({
    key: `${header(family)} ${side.address} . meta l4proto . th ${side.port}`,
    negated,
    set,
  });
  return { 4: test(4), 6: test(6) };
}

/** A number or `first:last`; undefined for anything else. */
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

function shownRanges(ranges: readonly (readonly [number, number])[]): string {
  return ranges
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
    .join(', ');
}
