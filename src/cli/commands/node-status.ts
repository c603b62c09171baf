import { sessionsOf, type BirdSession } from '../../bird/index.js';
import { Fault, isFault, messageOf } from '../../base/index.js';
import { readDaemonConfig } from '../../config/index.js';
import { isObject, stringifyJson, stringOf } from '../../model/v3/index.js';
import type { Io } from '../io.js';
import { borderedTable } from '../tables.js';

export interface NodeStatusOptions {
  readonly output: string;
}

/** Where BIRD listens when it is not ours: calico-node's and the distributions'. */
const FOREIGN_FOLDERS = ['/var/run/calico', '/var/run/bird'];

/** node status: whether Calico runs on this host, and its BGP sessions, in calicoctl's words. */
export async function nodeStatusCommand(io: Io, { output }: NodeStatusOptions): Promise<number> {
  if (!['table', 'ps', 'json'].includes(output)) {
    const message = `unrecognized output format '${output}': use table or json`;
    throw new Fault('invalid', message, { reason: 'output-format' });
  }
  const daemon = await daemonStatus(io);
  const sessions = await readSessions(io);
  if (output === 'json') {
    const running = daemon !== undefined;
    io.out(`${stringifyJson({ running, bgp: daemon?.['bgp'] ?? null, sessions }, 2)}\n`);
    return running ? 0 : 1;
  }
  if (daemon === undefined && sessions.length === 0) {
    io.err('Calico process is not running.\n');
    return 1;
  }
  // Without the daemon, BIRD goes on speaking for it.
  if (daemon === undefined) io.err('Calico process is not running.\n');
  else io.out('Calico process is running.\n');
  io.out(`\n${family(4, sessions)}\n${family(6, sessions)}\n`);
  const bgp = isObject(daemon?.['bgp']) ? daemon['bgp'] : {};
  if (stringOf(bgp, 'reason') !== '') io.out(`BGP: ${stringOf(bgp, 'reason')}\n`);
  return daemon === undefined ? 1 : 0;
}

async function daemonStatus(io: Io): Promise<Record<string, unknown> | undefined> {
  try {
    const status = await io.readStatus();
    return isObject(status) ? status : {};
  } catch (error) {
    if (isFault(error, 'unavailable', 'timeout')) return undefined;
    throw error;
  }
}

/** Sessions of our BIRD, which speaks both families, or of another on this host. */
async function readSessions(io: Io): Promise<readonly BirdSession[]> {
  const { runDir } = readDaemonConfig({ ...io.inputs, argv: [] }).settings;
  const found: BirdSession[] = [];
  for (const name of ['bird.ctl', 'bird6.ctl']) {
    for (const folder of new Set([runDir, ...FOREIGN_FOLDERS])) {
      try {
        found.push(...sessionsOf(await io.showProtocols(`${folder}/${name}`)));
        break;
      } catch (error) {
        if (isFault(error, 'unavailable')) continue;
        io.err(`${messageOf(error)}\n`);
      }
    }
  }
  return found;
}

const HEADINGS = ['PEER ADDRESS', 'PEER TYPE', 'STATE', 'SINCE', 'INFO'];

function family(version: 4 | 6, sessions: readonly BirdSession[]): string {
  const title = `IPv${version} BGP status\n`;
  const own = sessions.filter((session) => session.family === version);
  if (own.length === 0) return `${title}No IPv${version} peers found.\n`;
  const rows = own.map(({ peer, type, state, since, info }) => [peer, type, state, since, info]);
  return (
    title +
    borderedTable(
      HEADINGS.map((heading) => ({ heading })),
      rows,
    )
  );
}
