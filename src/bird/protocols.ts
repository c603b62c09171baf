import { Fault } from '../base/index.js';
import { askBird, type BirdReply } from './control-socket.js';

/** One row of BIRD's `show protocols`. */
export interface BirdProtocol {
  readonly name: string;
  /** `BGP`, `Kernel`, … */
  readonly type: string;
  readonly table: string;
  /** `up`, `start`, `down`, … */
  readonly state: string;
  /** A time of the day, or a date when it is longer ago. */
  readonly since: string;
  /** `Established`, or how far a session is and what went wrong. */
  readonly info: string;
}

/** A BGP session that Calico's generator or ours has named. */
export interface BirdSession {
  readonly name: string;
  /** `192.0.2.1`, or with a port that is not BGP's own: `192.0.2.1:1790`, `[2001:db8::1]:1790`. */
  readonly peer: string;
  readonly family: 4 | 6;
  readonly type: 'node-to-node mesh' | 'node specific' | 'global';
  readonly state: string;
  readonly since: string;
  readonly info: string;
}

const HEADING = 2002;
const ROW = 1002;

/** All protocols of the BIRD at `path`. */
export async function showProtocols(path: string): Promise<readonly BirdProtocol[]> {
  return parseProtocols(await askBird(path, 'show protocols'));
}

/** Rows of the answer to `show protocols`; `corrupt` when it is another answer. */
export function parseProtocols({ code, lines }: BirdReply): readonly BirdProtocol[] {
  if (code >= 8000 || !lines.some((line) => line.code === HEADING)) {
    const said = lines.at(-1)?.text ?? '';
    throw new Fault('corrupt', `BIRD answered "${said}" where a list of its protocols is expected`);
  }
  return lines
    .filter((line) => line.code === ROW && line.text.trim() !== '')
    .flatMap(({ text }) => {
      const match = /^(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+(?: \d\d:\d\d:\d\d\S*)?)\s*(.*)$/.exec(
        text,
      );
      if (match === null) return [];
      const [, name = '', type = '', table = '', state = '', since = '', info = ''] = match;
      return { name, type, table, state, since, info: info.trim().replaceAll(/\s+/g, ' ') };
    });
}

const TYPES: Readonly<Record<string, BirdSession['type']>> = {
  Mesh: 'node-to-node mesh',
  Node: 'node specific',
  Global: 'global',
};

/** The sessions among them: BGP protocols whose names tell type and peer. */
export function sessionsOf(protocols: readonly BirdProtocol[]): readonly BirdSession[] {
  return protocols.flatMap(({ name, type, state, since, info }) => {
    const match = /^(Mesh|Node|Global)_([0-9a-fA-F_]+?)(?:_port_(\d+))?$/.exec(name);
    const kind = TYPES[match?.[1] ?? ''];
    const address = match?.[2];
    if (type !== 'BGP' || kind === undefined || address === undefined) return [];
    const family = /^\d{1,3}(?:_\d{1,3}){3}$/.test(address) ? 4 : 6;
    const plain = address.replaceAll('_', family === 4 ? '.' : ':');
    const peer = withPort(plain, family, match?.[3]);
    return { name, peer, family, type: kind, state, since, info };
  });
}

function withPort(address: string, family: 4 | 6, port: string | undefined): string {
  if (port === undefined || port === '179') return address;
  return family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}
